/// Brings a parsed file into a draft and collects everything that is wrong with it.
struct ConfigurationReader {
    private(set) var draft: ConfigurationDraft
    private(set) var problems: [ConfigurationProblem] = []
    private let document: TOMLDocument

    /// Reads `document` over the defaults in `draft`.
    init(_ document: TOMLDocument, into draft: ConfigurationDraft) {
        self.document = document
        self.draft = draft
        for entry in document.entries {
            if let section = ConfigurationSection(rawValue: entry.key), section != .top {
                readSection(section, entry)
            } else {
                readEntry(entry, of: .top)
            }
        }
    }

    private mutating func report(_ position: TextPosition, _ message: String) {
        problems.append(ConfigurationProblem(origin: .file(position), message: message))
    }

    private mutating func readSection(_ section: ConfigurationSection, _ node: TOMLNode) {
        switch (node.content, section.isRepeated) {
        case (.table(let range), false):
            for entry in document.children(range) { readEntry(entry, of: section) }
        case (.array(let range), true):
            for element in document.children(range) {
                guard case .table(let fields) = element.content else {
                    report(element.position, "\(section.rawValue): must be a list of tables, written \(section.header)")
                    continue
                }
                readElement(section, element, fields)
            }
        default:
            let kind = section.isRepeated ? "a list of tables" : "one table"
            report(node.keyPosition, "\(section.rawValue): must be \(kind), written \(section.header)")
        }
    }

    private mutating func readElement(_ section: ConfigurationSection, _ element: TOMLNode, _ fields: Range<Int>) {
        draft.beginEntry()
        let entries = document.children(fields)
        for entry in entries { readEntry(entry, of: section) }
        for key in ConfigurationKeys.keys(of: section)
        where key.isRequired && !entries.contains(where: { $0.key == key.name }) {
            report(element.position, "\(key.path): is missing in this \(section.header)")
            if section == .peer { draft.peersAreComplete = false }
        }
        draft.endEntry(of: section, origin: .file(element.position))
    }

    private mutating func readEntry(_ entry: TOMLNode, of section: ConfigurationSection) {
        guard let key = ConfigurationKeys.all.first(where: { $0.section == section && $0.name == entry.key }) else {
            report(entry.keyPosition, unknown(entry, in: section))
            return
        }
        guard key.isList else {
            assign(key, entry)
            return
        }
        guard case .array(let members) = entry.content else {
            report(entry.position, "\(key.path): must be a list of strings, not \(ConfigurationValue(entry.content))")
            return
        }
        for member in document.children(members) { assign(key, member) }
    }

    private mutating func assign(_ key: ConfigurationKey, _ node: TOMLNode) {
        draft.origin = .file(node.position)
        do throws(InvalidValue) {
            try key.assign(ConfigurationValue(node.content), &draft)
        } catch {
            report(node.position, "\(key.path): \(error.reason)")
            if key.path == "peers" || key.section == .peer { draft.peersAreComplete = false }
        }
    }

    /// Says that a key or table is unknown and what may have been meant.
    private func unknown(_ entry: TOMLNode, in section: ConfigurationSection) -> String {
        var message = (isTable(entry) ? "unknown table " : "unknown key ") + PrintableText.quote(entry.key, limit: 64)
        if section != .top { message += " in \(section.header)" }
        let homes = ConfigurationKeys.all.filter { $0.name == entry.key }.map { key in
            key.section == .top ? "in front of the first table" : "in \(key.section.header)"
        }
        if !homes.isEmpty { return message + ", it stands " + homes.joined(separator: " or ") }
        var names = ConfigurationKeys.keys(of: section).map(\.name)
        if section == .top { names += ConfigurationSection.allCases.map(\.rawValue).filter { !$0.isEmpty } }
        if let nearest = NearestName.suggest(for: entry.key, among: names) {
            message += " (did you mean \"\(nearest)\"?)"
        }
        return message
    }

    private func isTable(_ node: TOMLNode) -> Bool {
        switch node.content {
        case .table: return true
        case .array(let members):
            guard case .table? = document.children(members).first?.content else { return false }
            return true
        default: return false
        }
    }
}
