import ArgumentParser

/// The value of a key for a run, and where it comes from.
struct ConfigSetting: Equatable {
    enum Origin: Equatable {
        case option
        /// Of a file, with the line.
        case file(String, line: Int)
        case standard
    }

    /// As `serve.hold`.
    var key: String
    /// Empty for a default, which the key describes.
    var texts: [String]
    var origin: Origin
}

/// A command completed by a file: its options go before the file, and the file before the defaults.
struct Configured<Command: Configurable> {
    private(set) var command: Command
    /// In the order of the command's bindings.
    private(set) var settings: [ConfigSetting] = []

    /// - Parameters:
    ///   - command: as the command line has it.
    ///   - file: nil for none; it has no problems.
    init(_ command: Command, file: ConfigFile?) {
        self.command = command
        let bindings = Command.bindings
        let onLine = Set(bindings.filter { !$0.given(command).isEmpty }.map(\.key))
        for binding in bindings {
            let given = binding.given(command)
            if !given.isEmpty {
                settings.append(ConfigSetting(key: binding.key, texts: given, origin: .option))
            } else if let file, let value = file.values[binding.key],
                onLine.isDisjoint(with: binding.yields)
            {
                binding.set(&self.command, value.texts)
                settings.append(
                    ConfigSetting(
                        key: binding.key, texts: value.texts,
                        origin: .file(file.path, line: value.line)))
            } else {
                settings.append(ConfigSetting(key: binding.key, texts: [], origin: .standard))
            }
        }
    }
}

extension Configurable {
    /// This command, completed by its file; nil if the configuration was to be printed, and was.
    func configured() throws -> Self? {
        let file = try config.file(for: Self.configName)
        let result = Configured(self, file: file)
        guard config.printConfig else { return result.command }
        try Console.standardOutput.write(
            OutputOptions.shown(ConfigText.settings(result.settings, of: Self.configName)))
        return nil
    }

    /// The command of a command line; without words that with the fewest.
    static func line(_ words: [String] = []) throws -> Self {
        try parse(words.isEmpty ? fewestWords : words)
    }

    /// The settings that a file gives to this command, without options.
    static func settings(of file: ConfigFile?) throws -> [ConfigSetting] {
        Configured(try line(), file: file).settings
    }
}
