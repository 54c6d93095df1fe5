internal import Glibc
internal import HyphaBase

/// Why something at the border to the kernel could not be set up: what happened, where, and what to do, in one line.
public struct RimError: Error, Equatable, CustomStringConvertible {
    /// What kind of obstacle it is, for callers that decide by it.
    public enum Kind: Equatable, Sendable {
        /// No usable io_uring: kernel too old, switched off, or hidden by a sandbox.
        case ringUnavailable
        /// Configuration demands an offload that this kernel or device does not have.
        case offloadUnavailable
        /// Another program has the port.
        case addressInUse
        /// The host does not have the address, or not the address family.
        case badAddress
        /// A privilege is missing.
        case permission
        /// Another program has the network device, or it is no TUN device.
        case nameInUse
        /// Not a device name.
        case badName
        /// Anything else the kernel refused.
        case system
    }

    public let kind: Kind
    /// One line, without a full stop at its end.
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// The kernel's words for an errno value.
    static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}

extension RimError {
    /// Why a socket could not be bound; `transport` is "UDP" or "TCP".
    static func cannotListen(
        _ transport: String, _ address: SocketAddress, _ step: String, _ code: Int32
    ) -> RimError {
        switch code {
        case EADDRINUSE:
            RimError(
                .addressInUse,
                "\(transport) \(address) is in use by another program: stop that program "
                    + "(ss -\(transport == "UDP" ? "u" : "t")lpn 'sport = :\(address.port)' names it) or listen on another port"
            )
        case EADDRNOTAVAIL:
            RimError(
                .badAddress,
                "cannot listen on \(transport) \(address): this host does not have the address; "
                    + "use one of its own (ip addr), [::] or 0.0.0.0")
        case EAFNOSUPPORT:
            RimError(
                .badAddress,
                "cannot listen on \(transport) \(address): the kernel has no \(address.isIPv4 ? "IPv4" : "IPv6"); "
                    + "listen on \(address.isIPv4 ? "[::]" : "0.0.0.0") instead")
        case EACCES, EPERM:
            RimError(
                .permission,
                "cannot listen on \(transport) \(address): not permitted; ports below 1024 need CAP_NET_BIND_SERVICE, "
                    + "or use a port from 1024 on")
        case EINVAL where step == "bind":
            RimError(
                .badAddress,
                "cannot listen on \(transport) \(address): a link-local address needs its interface, as in fe80::1%eth0"
            )
        default:
            RimError(.system, "cannot listen on \(transport) \(address): \(step): \(RimError.text(code))")
        }
    }
}
