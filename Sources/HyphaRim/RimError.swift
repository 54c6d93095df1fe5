internal import Glibc

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
