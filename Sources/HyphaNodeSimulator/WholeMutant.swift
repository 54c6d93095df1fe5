/// What can be made wrong in a run of whole nodes on purpose. Each must be noticed.
public enum WholeMutant: String, CaseIterable, Sendable {
    /// A worker counts a packet that goes nowhere: as if it had lost one.
    case lostPacket
    /// A worker takes a slot and never gives it back.
    case lostSlot
    /// A worker keeps a reference on a slab.
    case lostSlab
    /// The host gets a packet twice.
    case twice
    /// The host gets a packet with another byte.
    case corrupted
    /// The host gets a packet for somebody else.
    case misdirected
    /// Two neighbours send each other what is for a third.
    case loop
    /// After the repair a link swallows what is not short, and keeps up appearances.
    case blackHole
}
