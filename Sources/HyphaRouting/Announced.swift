/// What waits to be told to all neighbours.
enum Announced: Sendable {
    /// A prefix by its number.
    case destination(Int)
    /// An own prefix by its place.
    case own(Int)
}
