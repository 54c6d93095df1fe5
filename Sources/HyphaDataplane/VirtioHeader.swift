/// The 10 bytes in front of every packet of the TUN (linux/virtio_net.h, struct virtio_net_hdr), little-endian.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | flags: 1 checksum to be completed, 2 checksum is known good |
/// | 1 | 1 | segmentation type: 0 none, 1 TCPv4, 4 TCPv6, 5 UDP; 0x80 ECN |
/// | 2 | 2 | length of all headers |
/// | 4 | 2 | payload bytes of a segment |
/// | 6 | 2 | where the checksummed part starts |
/// | 8 | 2 | offset of the checksum in it |
enum VirtioHeader {
    static let size = 10
    static let needsChecksum: UInt8 = 1
    static let dataValid: UInt8 = 2
    static let tcp6: UInt8 = 4
    static let udp: UInt8 = 5
    static let ecn: UInt8 = 0x80

    /// One packet with complete checksums that an authentic peer made: the kernel need not verify them.
    @inline(__always)
    static func writePlain(_ bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: UInt64(dataValid).littleEndian, as: UInt64.self)
        bytes.storeBytes(of: 0, toByteOffset: 8, as: UInt16.self)
    }

    /// A TCP super-packet over IPv6 whose checksum field holds the pseudo-header sum.
    static func writeTCP6(_ bytes: UnsafeMutableRawPointer, headerLength: Int, segmentSize: Int, transport: Int) {
        bytes.storeBytes(of: needsChecksum, as: UInt8.self)
        bytes.storeBytes(of: tcp6, toByteOffset: 1, as: UInt8.self)
        bytes.storeBytes(of: UInt16(truncatingIfNeeded: headerLength).littleEndian, toByteOffset: 2, as: UInt16.self)
        bytes.storeBytes(of: UInt16(truncatingIfNeeded: segmentSize).littleEndian, toByteOffset: 4, as: UInt16.self)
        bytes.storeBytes(of: UInt16(truncatingIfNeeded: transport).littleEndian, toByteOffset: 6, as: UInt16.self)
        bytes.storeBytes(of: UInt16(16).littleEndian, toByteOffset: 8, as: UInt16.self)
    }

    @inline(__always)
    static func field(_ bytes: UnsafeRawPointer, _ offset: Int) -> Int {
        Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }
}
