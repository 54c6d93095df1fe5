/// Why a value is refused: a phrase that follows the name of the key or flag and a colon.
struct InvalidValue: Error, Equatable {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}
