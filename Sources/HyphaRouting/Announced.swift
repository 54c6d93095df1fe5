/// What waits to be told to all neighbours.
enum Announced: Sendable {
    /// A prefix by its number, for the first time or again.
    case destination(Int)
    case repetition(Int)
    /// An own prefix by its place, for the first time or again.
    case own(Int)
    case ownRepetition(Int)
}
