import HyphaBase
import HyphaWire

/// What is hostile in a node: it turns what the node hears, and time, into messages that its router would not send, and changes
/// those that it does send.
struct HostileNode: Sendable {
    /// How it numbers what it invents, on links where Updates have serials: not at all, in one row with its router, or wildly.
    enum Numbering: CaseIterable, Sendable {
        case none, orderly, wild
    }

    /// What it invents: a message and the number of a neighbour.
    struct Message: Sendable {
        var tlv: BabelTLV
        var neighbour: Int
    }

    /// The owners of the prefixes of nobody whose forwarding is looked at; a flooder invents more, one after the other.
    static let firstNobody = 1 << 30
    static let trackedNobodies = 24
    /// How many a flooder invents.
    static let flood = 300
    /// Between two attacks, in milliseconds.
    static let pauses: ClosedRange<UInt64> = 50...900

    /// One, or two that it acts in by turns.
    let roles: [HostileRole]
    let number: Int
    let numbering: Numbering
    /// What some roles do in more than one way.
    let habit: Int
    var seed: Seed
    var heard = HeardUpdates()
    /// Of a jumper: the seqno that it is at, by prefix. Of a flooder: how far it is.
    var seqnos: [Prefix: UInt16] = [:]
    var invented = 0
    /// After the attack it cuts its links, so that its neighbours notice at once; or it only says nothing any more.
    let leaves: Bool
    private(set) var isOver = false
    private var serials: [HostileSerials] = []

    init(roles: [HostileRole], number: Int, seed: Seed) {
        self.roles = roles
        self.number = number
        var seed = seed
        numbering = Numbering.allCases.randomElement(using: &seed) ?? .none
        habit = Int.random(in: 0..<4, using: &seed)
        leaves = Int.random(in: 0..<4, using: &seed) > 0
        self.seed = seed
    }

    mutating func end() { isOver = true }

    /// A neighbour says this.
    mutating func hear(_ tlv: BabelTLV) {
        guard case .update(let update) = tlv, update.metric != .max else { return }
        heard.note(update)
    }

    /// Its router wants to say this: what is said instead, nil for nothing.
    mutating func alter(_ tlv: BabelTLV, to neighbour: Int) -> BabelTLV? {
        if isOver { return nil }
        if case .update(let update) = tlv, SimNode.number(of: update.prefix) == number, update.metric != .max {
            heard.note(update)
        }
        var altered = tlv
        if roles.contains(.liar) { altered = lie(about: altered) }
        if roles.contains(.grey) {
            guard let said = withhold(altered) else { return nil }
            altered = said
        }
        switch numbering {
        case .none: return altered
        case .orderly:
            prepare(neighbour)
            return serials[neighbour].number(altered)
        case .wild: return misnumbered(altered)
        }
    }

    /// Now and then a Hello says that there were more Updates, or fewer, or that something was answered that was not.
    private mutating func misnumbered(_ tlv: BabelTLV) -> BabelTLV {
        guard case .hello(var hello) = tlv, var progress = hello.progress, Int.random(in: 0..<4, using: &seed) == 0
        else {
            return tlv
        }
        progress.next.number &+= [1, 20, 5_000, 32_768, .max].randomElement(using: &seed) ?? 0
        progress.answered = UInt16.random(in: 0...9, using: &seed)
        hello.progress = progress
        return .hello(hello)
    }

    /// An attack, on a node with so many neighbours.
    mutating func act(neighbours: Int) -> [Message] {
        guard !isOver, neighbours > 0 else { return [] }
        let said: [BabelTLV] =
            switch roles.randomElement(using: &seed) ?? .grey {
            case .forger: forge()
            case .jumper: jump()
            case .flapper: flap()
            case .liar: tellAgain()
            case .requests: ask()
            case .retractor: retract()
            case .flooder: flood()
            case .grey: []
            }
        // To everybody, or each to somebody.
        let isLoud = Bool.random(using: &seed)
        let listeners = said.map { _ in Int.random(in: 0..<neighbours, using: &seed) }
        var messages: [Message] = []
        for neighbour in 0..<neighbours {
            for (tlv, listener) in zip(said, listeners) where isLoud || listener == neighbour {
                messages.append(Message(tlv: numbered(tlv, to: neighbour), neighbour: neighbour))
            }
        }
        return messages
    }

    /// Gives an invented Update its serial.
    private mutating func numbered(_ tlv: BabelTLV, to neighbour: Int) -> BabelTLV {
        guard case .update(var update) = tlv else { return tlv }
        switch numbering {
        case .none: update.serial = nil
        case .orderly:
            prepare(neighbour)
            update.serial = serials[neighbour].take()
        case .wild:
            update.serial = BabelTLV.Serial(
                epoch: UInt16.random(in: 0...3, using: &seed), number: UInt16.random(in: 0...UInt16.max, using: &seed))
        }
        return .update(update)
    }

    private mutating func prepare(_ neighbour: Int) {
        while serials.count <= neighbour { serials.append(HostileSerials()) }
    }
}
