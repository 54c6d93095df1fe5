import CKernel
import Glibc
import HyphaBase

/// The TUN device, without offloads: one packet a read, one a write, each behind a virtio header of zeros.
final class Tun {
    private static let headerSize = 10

    let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 66_000)
    /// Packets that the kernel did not take.
    private(set) var refused = 0

    /// Opens the device with MTU 1400 and the address, whose connected route covers 7 bits.
    init(name: String, address: IPv6Address, mtu: Int) throws(Failure) {
        var room = [CChar](repeating: 0, count: Int(CHY_NAME_SIZE))
        for (i, byte) in name.utf8.prefix(15).enumerated() { room[i] = CChar(bitPattern: byte) }
        var step: UnsafePointer<CChar>?
        descriptor = chy_tun_open(&room, 0, &step)
        guard descriptor >= 0 else { throw Failure.system("cannot open TUN device \(name)", -descriptor) }
        _ = chy_tun_offload(descriptor, 0)
        let index = chy_link_index(room)
        let code = address.bytes.withUnsafeBufferPointer { ip in
            var link = chy_link(mtu: Int32(mtu), gso_max_size: 0, ip: ip.baseAddress, prefix_length: 7)
            return index < 0 ? index : chy_link_configure(index, &link, &step)
        }
        guard code >= 0 else { throw Failure.system("cannot configure TUN device \(name)", -code) }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    deinit { close(descriptor) }

    /// The next packet; nil when there is none at the moment.
    func read() -> [UInt8]? {
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > Tun.headerSize ? Array(buffer[Tun.headerSize..<count]) : nil
    }

    func write(_ packet: [UInt8]) {
        let framed = [UInt8](repeating: 0, count: Tun.headerSize) + packet
        if Glibc.write(descriptor, framed, framed.count) < 0 { refused += 1 }
    }
}
