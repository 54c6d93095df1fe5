/// Every command and every flag. Parsing, suggestions and help come from here.
enum CommandLineTable {
    static let commands = [
        CommandLineCommand(
            name: .run, operands: "", operandLimit: 0,
            summary: "Start the node; so does hypha without a command"),
        CommandLineCommand(
            name: .generateKeys, operands: "", operandLimit: 0,
            summary: "Make a key file if there is none"),
        CommandLineCommand(
            name: .inspect, operands: "[KEY]", operandLimit: 1,
            summary: "Show the public key and address of this node, or the address of KEY"),
        CommandLineCommand(
            name: .version, operands: "", operandLimit: 0,
            summary: "Print the version"),
        CommandLineCommand(
            name: .help, operands: "[COMMAND]", operandLimit: 1,
            summary: "Print this text, or the help of a command"),
    ]

    static let flags = [
        CommandLineFlag(
            ["--config", "-c", "--config-file"], value: "FILE", commands: [.run, .generateKeys, .inspect],
            .configurationFile,
            "Configuration file [default: \(DefaultPaths.systemConfigurationFile) if it exists]"),
        CommandLineFlag(
            ["--key-file", "-k"], value: "FILE", commands: [.run, .generateKeys, .inspect], .sets("node.key_file"),
            "File of the secret key, made if missing (of an ordinary user: ~/.local/share/hypha/priv_key.bin)"),
        CommandLineFlag(
            ["--check"], commands: [.run], isExclusive: true, .check,
            "Check the configuration and exit"),
        CommandLineFlag(
            ["--peers"], value: "URI...", takesMany: true, commands: [.run], .sets("peers"),
            "Peers, instead of the file's: all words up to the next flag, hl1://KEY@host:port or tcp://host:port"),
        CommandLineFlag(
            ["--listen"], value: "URI", commands: [.run], .sets("listen.uri"),
            "Address to listen on, instead of the file's; may be repeated, hl1:// for UDP, tcp:// for TCP"),
        // Behind --listen, which forgets what the file says of TCP as well.
        CommandLineFlag(
            ["--tcp-listen-port", "-t"], value: "PORT", commands: [.run], .sets("tcp_listen_port"),
            "TCP port to listen on, instead of all other TCP addresses; 0: any free port [default: 9651]"),
        CommandLineFlag(
            ["--tun-name"], value: "NAME", commands: [.run], .sets("tun.name"), "Name of the TUN interface"),
        CommandLineFlag(
            ["--no-tun"], commands: [.run], .setsConstant("tun.enabled", .boolean(false)),
            "Create no TUN interface, only pass on packets of others"),
        CommandLineFlag(
            ["--disable-peer-discovery"], commands: [.run], .setsConstant("discovery.enabled", .boolean(false)),
            "Do not look for nodes on the local network"),
        CommandLineFlag(
            ["--peer-discovery-port"], value: "PORT", commands: [.run], .sets("discovery.port"),
            "UDP port that nodes of the local network find each other by"),
        CommandLineFlag(
            ["--peer-discovery-interface"], value: "NAME", commands: [.run], .sets("discovery.interfaces"),
            "Interface to find nodes on, instead of the file's; may be repeated"),
        CommandLineFlag(
            ["--workers"], value: "N", commands: [.run], .sets("tuning.workers"), "Forwarding threads"),
        // --silent stands after --debug and so wins over it.
        CommandLineFlag(
            ["--debug", "-d"], commands: [.run, .generateKeys, .inspect],
            .setsConstant("log.level", .text(LogLevel.debug.rawValue)), "Log everything"),
        CommandLineFlag(
            ["--silent"], commands: [.run, .generateKeys, .inspect],
            .setsConstant("log.level", .text(LogLevel.error.rawValue)), "Log errors only, also with --debug"),
        CommandLineFlag(
            ["--force"], commands: [.generateKeys], isExclusive: true, .force,
            "Make a new key even if there is one; the old one is kept beside it as FILE.old"),
        CommandLineFlag(
            ["--json"], commands: [.inspect], isExclusive: true, .json, "Print JSON"),
        CommandLineFlag(["--help", "-h"], .help, "Print help"),
        CommandLineFlag(["--version", "-V"], .version, "Print the version"),
    ]

    static func command(_ name: CommandName) -> CommandLineCommand? { commands.first { $0.name == name } }

    static func flag(_ name: String) -> CommandLineFlag? { flags.first { $0.names.contains(name) } }
}
