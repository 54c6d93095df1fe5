/// Why a text is not a TOML document, and where.
struct TOMLError: Error {
    let position: TextPosition
    let message: String
}
