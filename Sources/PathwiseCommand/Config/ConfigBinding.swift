import ArgumentParser

/// A command that a configuration file can complete.
protocol Configurable: ParsableCommand {
    /// The name of its table, and of the file that it reads by itself.
    static var configName: String { get }
    /// Where the values of keys go.
    static var bindings: [ConfigBinding<Self>] { get }
    var config: ConfigOptions { get }
    /// The shortest command line that is right.
    static var fewestWords: [String] { get }
}

extension Configurable {
    static var fewestWords: [String] { [] }
}

/// Where the value of a key goes in a command, and whether the command line has it already.
struct ConfigBinding<Command> {
    /// As `serve.hold`.
    let key: String
    /// The texts of the command line; empty if the option was not given.
    let given: (Command) -> [String]
    let set: (inout Command, [String]) -> Void
    /// Keys whose options on the command line make the file's value void.
    private(set) var yields: [String] = []

    init(
        _ key: String, given: @escaping (Command) -> [String],
        set: @escaping (inout Command, [String]) -> Void
    ) {
        self.key = key
        self.given = given
        self.set = set
    }

    /// An option with one value.
    init(_ key: String, _ place: WritableKeyPath<Command, String?>) {
        self.init(
            key, given: { $0[keyPath: place].map { [$0] } ?? [] },
            set: { $0[keyPath: place] = $1.first })
    }

    /// An option that may be repeated.
    init(_ key: String, _ place: WritableKeyPath<Command, [String]>) {
        self.init(key, given: { $0[keyPath: place] }, set: { $0[keyPath: place] = $1 })
    }

    /// A flag.
    ///
    /// - Parameter text: the value of the key that means the flag.
    init(_ key: String, _ place: WritableKeyPath<Command, Bool>, when text: String) {
        self.init(
            key, given: { $0[keyPath: place] ? [text] : [] },
            set: { $0[keyPath: place] = $1 == [text] })
    }

    /// The same, void if one of some other options is on the command line.
    func yielding(to keys: [String]) -> ConfigBinding {
        var binding = self
        binding.yields = keys
        return binding
    }
}

extension ConfigBinding {
    /// The log, for a command with `ServiceLogOptions`.
    static func log(_ options: WritableKeyPath<Command, ServiceLogOptions>) -> [ConfigBinding] {
        [
            ConfigBinding(
                "log-level",
                given: { command in
                    let options = command[keyPath: options]
                    let level =
                        options.logLevel
                        ?? (options.quiet ? "warning" : options.verbose ? "debug" : nil)
                    return level.map { [$0] } ?? []
                }, set: { $0[keyPath: options].logLevel = $1.first }),
            ConfigBinding(
                "log-format",
                given: { command in
                    let options = command[keyPath: options]
                    return options.json ? ["json"] : options.logFormat.map { [$0.rawValue] } ?? []
                },
                set: { command, texts in
                    command[keyPath: options].logFormat = texts.first.flatMap(
                        LogFormat.init(rawValue:))
                }),
        ]
    }

    /// The server and this side's keys, for a command with `ServerOptions` and `--psk`.
    static func server(
        _ table: String, _ server: WritableKeyPath<Command, ServerOptions>,
        _ psk: WritableKeyPath<Command, String?>
    ) -> [ConfigBinding] {
        let names = ["server", "peer", "key"].map { "\(table).\($0)" }
        func others(_ name: String) -> [String] { names.filter { $0 != "\(table).\(name)" } }
        return [
            ConfigBinding("state", server.appending(path: \.state.state)),
            ConfigBinding("\(table).server", server.appending(path: \.server))
                .yielding(to: others("server")),
            ConfigBinding("\(table).to", server.appending(path: \.to)).yielding(to: names),
            ConfigBinding("\(table).peer", server.appending(path: \.peer))
                .yielding(to: [names[0]]),
            ConfigBinding("\(table).key", server.appending(path: \.key))
                .yielding(to: [names[0]]),
            ConfigBinding("\(table).psk", psk).yielding(to: names),
        ]
    }
}
