/// A value that a flag puts in place of the file's.
struct ConfigurationOverride: Sendable {
    /// The flag, with its hyphens.
    let flag: String
    let key: ConfigurationKey
    let value: ConfigurationValue

    /// Assigns the values in their order. What flags say about a list or a repeated table replaces all of the file's:
    /// peers both of `peers` and of `[[peer]]`.
    static func apply(
        _ overrides: [ConfigurationOverride], to draft: inout ConfigurationDraft
    ) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if overrides.contains(where: { $0.key.section == .listen }) { draft.removeListens() }
        for override in overrides { override.key.empty?(&draft) }
        for override in overrides {
            let origin = ValueOrigin.flag(override.flag)
            draft.origin = origin
            draft.beginEntry()
            do throws(InvalidValue) {
                try override.key.assign(override.value, &draft)
                draft.endEntry(of: override.key.section, origin: origin)
            } catch {
                problems.append(ConfigurationProblem(origin: origin, message: error.reason))
            }
        }
        return problems
    }
}
