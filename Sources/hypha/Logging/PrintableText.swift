/// Foreign text made fit for one line of a message or a log.
enum PrintableText {
    /// Control characters, line separators and direction marks as `\u{..}`.
    static func escape(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isUnprintable) else { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            if isUnprintable(scalar) {
                out += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// The text in quotation marks, escaped, cut to `limit` characters.
    static func quote(_ text: String, limit: Int = 100) -> String {
        let head = text.prefix(limit)
        return "\"" + escape(String(head)) + (head.endIndex == text.endIndex ? "\"" : "…\"")
    }

    private static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        default: false
        }
    }
}
