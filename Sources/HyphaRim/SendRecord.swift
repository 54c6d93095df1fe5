/// One send under way: what the kernel reads while it works, and what to do when it is done.
struct SendRecord {
    /// Datagrams, or segments of a TUN super-packet.
    var packets: Int32 = 0
    /// All bytes.
    var length: Int32 = 0
    /// Bytes of every datagram but the last.
    var segmentSize: Int32 = 0
    /// Buffers that this record holds one reference on each.
    var bufferCount: Int32 = 0
    /// Stretches of memory.
    var vectorCount: Int32 = 0
    /// The record this one is a part of, -1 for none. The parent holds the references.
    var parent: Int32 = -1
    /// Parts still under way; the record is free when they are done.
    var parts: Int32 = 0
    /// Socket number; `SendSlots.tun` for the TUN.
    var socket: Int32 = 0
    /// Part of a train that was refused whole: its success tells why.
    var isTrial = false
}
