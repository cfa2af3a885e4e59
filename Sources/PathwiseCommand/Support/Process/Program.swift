import ArgumentParser
import Glibc
import Pathwise

/// The program around its subcommands: its version, parsing, and exit.
enum Program {
    static let version = PathwiseVersion.text

    /// Parses the command line, runs the command and exits.
    static func run(_ root: any AsyncParsableCommand.Type, arguments: [String]) async -> Never {
        let status: ExitStatus
        do {
            var command = try parse(root, arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            status = .success
        } catch {
            status = end(with: error, root, arguments)
        }
        exit(status.rawValue)
    }

    private static func parse<Root: AsyncParsableCommand>(
        _ root: Root.Type, _ arguments: [String]
    ) throws -> any ParsableCommand {
        try root.parseAsRoot(arguments)
    }

    /// Prints an error: help on standard output, anything else as one line.
    private static func end<Root: AsyncParsableCommand>(
        with error: any Error, _ root: Root.Type, _ arguments: [String]
    ) -> ExitStatus {
        if let exit = error as? ExitCode { return ExitStatus(rawValue: exit.rawValue) ?? .software }
        let code = root.exitCode(for: error)
        if code == .success {
            let width = Console.standardOutput.width ?? 100
            do throws(CommandFailure) {
                try Console.standardOutput.write(
                    root.fullMessage(for: error, columns: width) + "\n")
                return .success
            } catch {
                try? Console.standardError.write(error.line)
                return error.status
            }
        }
        var failure = CommandFailure(error)
        if code == .validationFailure {
            let command = commandPath(of: arguments, root)
            let message = root.message(for: error)
            let joint = message.hasSuffix("?") || message.hasSuffix(".") ? " See" : "; see"
            failure = CommandFailure("\(message)\(joint) '\(command) --help'", .usage)
        }
        if !failure.message.isEmpty { try? Console.standardError.write(failure.line) }
        return failure.status
    }

    /// The names of the command in the arguments, as typed by the user.
    static func commandPath(
        of arguments: [String], _ root: any ParsableCommand.Type
    ) -> String {
        var names = [root._commandName]
        var command = root
        for argument in arguments {
            guard
                let next = command.configuration.subcommands.first(where: {
                    $0._commandName == argument
                })
            else { break }
            names.append(argument)
            command = next
        }
        return names.joined(separator: " ")
    }
}
