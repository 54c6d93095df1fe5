internal import HyphaDataplane

/// What TCP links cost a node, over what its HL1 links need.
///
/// | memory | for | pages are touched |
/// |---|---|---|
/// | slots | frames that wait to be written, one half-received frame of each link, what waits for control | when first used |
/// | slabs | receives, and half-received frames that are too long for a slot | when first used |
struct StreamBudget: Equatable {
    /// TCP links at most; 0: there is no TCP.
    let links: Int
    /// Slots for frames that wait to be written.
    let queueSlots: Int
    /// Slabs lent to the kernel for receives.
    let receiveSlabs: Int
    /// Slabs for half-received long frames.
    let assemblySlabs: Int
    /// Slots for what waits for control.
    let pauseSlots: Int

    init(_ limits: Configuration.Limits) {
        links = limits.maxTCPLinks
        queueSlots = links > 0 ? limits.tcpQueue : 0
        receiveSlabs = links > 0 ? 16 : 0
        assemblySlabs = links > 0 ? 16 : 0
        pauseSlots = Worker.pauseSlots(connections: links)
    }

    /// Slots of the pool that are for TCP links. A half-received frame of each link has one, so that peers that send
    /// slowly cost nobody else a packet.
    var slots: Int { queueSlots + links + pauseSlots }
    /// Slabs of the pool that are for TCP links.
    var slabs: Int { receiveSlabs + assemblySlabs }
}
