/// What carries the packets between the relay and its neighbours.
enum Transport: String, CaseIterable {
    /// HL1 links.
    case udp
    /// The stock protocol: frames over TCP.
    case tcp
}
