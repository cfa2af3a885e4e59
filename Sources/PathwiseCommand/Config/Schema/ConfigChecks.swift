import Glibc
import PathForward
import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport
import PathWatch
import Pathwise

/// Checks of values, made from the parsers of the options that say the same.
enum ConfigCheck {
    /// What a parser of an option throws, without the option's name.
    static func reason(_ error: any Error) -> String {
        var text = CommandFailure(error).message
        if text.hasPrefix("--"), let blank = text.firstIndex(of: " ") {
            text = String(text[text.index(after: blank)...])
        }
        while text.first == " " { text.removeFirst() }
        return text
    }

    @Sendable static func hold(_ text: String) throws {
        _ = try ConnectionArgument.configuration(
            idleTimeout: text, option: "", congestion: nil)
    }

    @Sendable static func congestion(_ text: String) throws {
        _ = try ConnectionArgument.configuration(
            idleTimeout: nil, option: "", congestion: text)
    }

    @Sendable static func policy(_ text: String) throws {
        guard case .model(let file) = try PolicyArgument(parsing: text) else { return }
        guard access(file, R_OK) == 0 else {
            throw SyntaxProblem(
                "cannot read the model '\(file)': \(systemText(errno)); "
                    + "'pathwise policies' lists the names")
        }
    }

    @Sendable static func shadow(_ text: String) throws {
        try policy(text)
        guard case .named(let specification) = try PolicyArgument(parsing: text) else { return }
        _ = try ShadowPolicy(specification)
    }

    /// HOST:PORT, without looking the name up.
    @Sendable static func address(_ text: String) throws { _ = try Resolver.split(text) }

    @Sendable static func publicAddress(_ text: String) throws {
        _ = try PublicAddresses.given([text])
    }

    @Sendable static func rule(_ text: String) throws { _ = try AllowRule.rules(parsing: text) }

    @Sendable static func rate(_ text: String) throws {
        do throws(SyntaxProblem) { _ = try RateArgument.bytesPerSecond(text) } catch {
            throw SyntaxProblem("'\(text)': \(error)")
        }
    }

    @Sendable static func recordRules(_ text: String) throws {
        _ = try RecordingRules(parsing: text)
    }

    @Sendable static func cap(_ text: String) throws { _ = try ByteCap(argument: text) }

    @Sendable static func flows(_ text: String) throws { _ = try ClientLimitArgument.flows(text) }

    @Sendable static func sessions(_ text: String) throws { _ = try ServeSetup.sessions(text) }

    @Sendable static func lifetime(_ text: String) throws { _ = try InviteText.lifetime(text) }

    @Sendable static func state(_ text: String) throws { try StateOptions.check(text) }

    @Sendable static func watch(_ text: String) throws { _ = try WatchAddress(parsing: text) }

    @Sendable static func name(_ text: String) throws {
        guard PlainName.allows(text) else {
            throw SyntaxProblem("'\(text)': a name has \(PlainName.rule)")
        }
    }

    @Sendable static func file(_ text: String) throws {
        guard !text.isEmpty else { throw SyntaxProblem("it is empty; name a file") }
    }

    @Sendable static func output(_ text: String) throws {
        guard !text.isEmpty, text != "-" else {
            throw SyntaxProblem("'\(text)': name a folder")
        }
    }

    @Sendable static func forward(_ text: String) throws { _ = try ForwardSpec(parsing: text) }

    @Sendable static func reverse(_ text: String) throws {
        _ = try ForwardSpec(parsing: text, isReverse: true)
    }

    @Sendable static func interface(_ text: String) throws {
        var options = InterfaceOptions()
        options.excludeInterface = [text]
        _ = try options.excluded()
    }

    /// One of some words.
    static func word(_ words: [String]) -> @Sendable (String) throws -> Void {
        { text in
            guard !words.contains(text) else { return }
            let near = NearestName.find(text, among: words).map { "; did you mean '\($0)'?" } ?? ""
            throw SyntaxProblem(
                "'\(text)': write one of \(words.joined(separator: ", "))\(near)")
        }
    }

    /// An option of forwards, as `deadline`.
    static func flow(_ name: String) -> @Sendable (String) throws -> Void {
        { text in
            var options = FlowOptions()
            if let problem = options.set(Substring(name), to: Substring(text)) {
                throw SyntaxProblem("'\(text)': \(problem)")
            }
        }
    }

    /// A part of `--path`, made by a function.
    ///
    /// The sign between the parts of `--path` would make one value two.
    static func path(
        _ text: @escaping @Sendable (String) -> String
    ) -> @Sendable (String) throws -> Void {
        { value in
            guard !value.contains(where: { ",>".contains($0) }) else {
                throw SyntaxProblem("'\(value)': no comma and no '>' may stand here")
            }
            _ = try PathArgument(parsing: text(value))
        }
    }
}
