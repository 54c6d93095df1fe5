/// A veth pair between two nodes of a topology, and who dials whom over it.
struct MixedLink: Sendable {
    enum Transport: Sendable {
        /// HL1 between two hypha nodes, TCP where one is stock.
        case natural
        case tcp
        /// The nodes only get the wire.
        case none
    }

    let dialler: Int
    let listener: Int
    var transport = Transport.natural
    /// The wire has IPv6 addresses.
    var isIPv6 = false

    init(_ dialler: Int, _ listener: Int, _ transport: Transport = .natural, isIPv6: Bool = false) {
        self.dialler = dialler
        self.listener = listener
        self.transport = transport
        self.isIPv6 = isIPv6
    }
}
