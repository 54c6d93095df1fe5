/// How a hostile node of a simulated mesh disturbs the others. Beside that its router runs as everybody's does.
public enum HostileRole: String, CaseIterable, Sendable {
    /// Announces prefixes of others under their true router ids, cheaply and with other seqnos, longer prefixes in them, and
    /// prefixes of nobody.
    case forger
    /// Repeats what others announce with seqnos far ahead, round the whole circle.
    case jumper
    /// Announces a prefix under ever other router ids of its owner's key.
    case flapper
    /// Passes on with wrong metrics, and changes them all the time.
    case liar
    /// Asks for routes and seqnos, of every generation, much more than it may, and says Hello and answers as often.
    case requests
    /// Takes back what it announced and what it never did.
    case retractor
    /// Announces prefixes of nobody, many of them.
    case flooder
    /// Answers Hellos, and keeps to itself some or all of what it should pass on, packets among it.
    case grey
}
