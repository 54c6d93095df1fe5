internal import Glibc

/// Where files lie when nobody says otherwise.
struct DefaultPaths: Sendable {
    static let systemConfigurationFile = "/etc/hypha/hypha.toml"
    static let systemKeyFile = "/var/lib/hypha/priv_key.bin"

    /// Read if it exists.
    let configurationFile: String
    let keyFile: String

    init(configurationFile: String, keyFile: String) {
        self.configurationFile = configurationFile
        self.keyFile = keyFile
    }

    /// Of root: the system's places. Of an ordinary user: the key lies below `XDG_DATA_HOME` or `~/.local/share`, as the
    /// XDG base directory specification says; a relative `XDG_DATA_HOME` counts as unset.
    init(isRoot: Bool, environment: (String) -> String?) {
        configurationFile = DefaultPaths.systemConfigurationFile
        if isRoot {
            keyFile = DefaultPaths.systemKeyFile
        } else if let data = environment("XDG_DATA_HOME"), data.hasPrefix("/") {
            keyFile = data + "/hypha/priv_key.bin"
        } else if let home = environment("HOME"), home.hasPrefix("/") {
            keyFile = home + "/.local/share/hypha/priv_key.bin"
        } else {
            keyFile = DefaultPaths.systemKeyFile
        }
    }

    /// Those of this process.
    static func current() -> DefaultPaths {
        DefaultPaths(isRoot: geteuid() == 0) { name in getenv(name).map { String(cString: $0) } }
    }
}
