import Glibc
import PathReport
import PathTelemetry
import PathTransport
import Pathwise

/// One run of `join`: enrol with a token, keep the profile, and check that it works.
struct JoinJob {
    private let token: JoinToken
    /// Of the profile.
    private let name: String
    private let clientName: String
    private let state: StateFolder

    static func run(_ command: JoinCommand) async throws {
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen()
        let job = try JoinJob(command)
        let key = try PrivateKey.generate()
        let profile = try ClientProfile(
            name: job.name, server: job.token.server, addresses: job.token.addresses, key: key)
        // The key is stored before the token is used for it, which can be done only once.
        try profile.prepare(in: job.state)
        let given: String
        do {
            given = try await job.enrol(profile)
        } catch {
            profile.discard(in: job.state)
            throw error
        }
        try profile.finish(in: job.state)
        try await job.withNewKey(of: profile) { _ in }
        try command.output.print(
            text: { job.report(given, folder: command.state.state) },
            json: {
                .object([
                    ("server", .string(job.name)), ("client", .string(given)),
                    ("client_key", .string(key.publicKey.base64)),
                    ("server_key", .string(job.token.server.base64)),
                    ("addresses", .array(job.token.addresses.map { .string($0) })),
                    ("profile", .string(job.path)),
                ])
            })
    }

    private init(_ command: JoinCommand) throws {
        token = try JoinToken(parsing: JoinJob.text(command))
        let now = InviteText.now()
        guard token.expires > now else {
            throw CommandFailure(InviteText.expired(token.expires, now: now), .noPermission)
        }
        name = try JoinJob.name(command.name, of: token)
        if let given = command.as {
            guard InviteText.plainName(given, or: "") == given else {
                throw CommandFailure(
                    "--as '\(given)' cannot be a name; it has \(PlainName.rule)", .usage)
            }
            clientName = given
        } else {
            clientName = InviteText.hostName(or: "client")
        }
        state = try command.state.folder(creates: true)
        if !command.force, try ClientProfile.exists(name, in: state) {
            throw StateError.profileExists(name: name, path: path)
        }
    }

    private static func text(_ command: JoinCommand) throws -> String {
        if let file = command.file { return try InviteText.line(of: file) }
        guard let token = command.token, token != "-" else { return try StandardInput.line() }
        return token
    }

    private var path: String { ClientProfile.path(of: name, in: state) }

    /// The profile's name: the user's, the server's own, or the host in its first address.
    private static func name(_ given: String?, of token: JoinToken) throws -> String {
        let name: String
        if let given {
            name = given
        } else if !token.name.isEmpty {
            name = token.name
        } else {
            let host = token.addresses.first?.prefix { $0 != ":" && $0 != "[" } ?? ""
            let isName = host.contains(where: \.isLetter)
            name = isName ? InviteText.plainName(String(host), or: "server") : "server"
        }
        // Checked before anything is sent.
        _ = try ClientProfile(
            name: name, server: token.server, addresses: token.addresses, key: token.enrolment)
        return name
    }

    /// Asks the server, with the token's key, to add the profile's; returns this client's name.
    ///
    /// Several hosts may use one token at one moment. The server keeps one connection of a key and
    /// ends the others, whose hosts ask again until the token is used.
    private func enrol(_ profile: ClientProfile) async throws -> String {
        var attempt = 0
        while true {
            do {
                return try await enrolOnce(profile)
            } catch {
                if let signal = Interruption.signal { throw CommandFailure.interrupted(by: signal) }
                guard JoinJob.isCutShort(error) else { throw named(error) }
                // The server may have taken the key, and its answer was lost.
                do {
                    return try await withNewKey(of: profile) { await nameThere($0, profile) }
                } catch let failure as CommandFailure {
                    guard failure.status == .noPermission, attempt < 8 else {
                        throw named(error)
                    }
                }
                attempt += 1
                try await Task.sleep(for: .milliseconds(Int.random(in: 50...250)))
            }
        }
    }

    /// Whether the server answered and then ended the enrolment without a result.
    private static func isCutShort(_ error: any Error) -> Bool {
        if case SessionError.ended(.handshakeTimeout) = error { return false }
        if case SessionError.network = error { return false }
        if case SessionError.ended(let reason) = error, reason.isWithdrawal { return true }
        return CommandFailure(error).status == .unavailable
    }

    private func enrolOnce(_ profile: ClientProfile) async throws -> String {
        let session = try await connect(token.enrolment)
        Interruption.whenInterrupted { _ in Task { await session.close() } }
        do {
            let given = try await Enrolment.request(
                session, key: profile.key.publicKey, name: clientName)
            await session.close()
            return given
        } catch {
            await session.close()
            throw error
        }
    }

    private func connect(_ key: PrivateKey) async throws -> Session {
        let remotes = try ClientProfile.resolve(token.addresses)
        return try await Session.connect(
            ClientOptions(key: key, server: token.server, to: remotes, policy: .minRTT))
    }

    /// An error of the enrolment, in words about the token.
    private func named(_ error: any Error) -> any Error {
        guard case SessionError.ended(let reason) = error else { return error }
        let addresses = token.addresses.joined(separator: ", ")
        return switch reason {
        case .refused(.wrongServerKey):
            CommandFailure(
                "the token is of another server: the one at \(addresses) has another key; "
                    + "make a token there with 'pathwise invite'", .noPermission)
        case let end where end == .refused(.unknownClient) || end.isWithdrawal:
            CommandFailure(
                "the server does not take this token: it was used already, was withdrawn, or has "
                    + "expired by the server's clock; make another there with 'pathwise invite'",
                .noPermission)
        case .handshakeTimeout:
            CommandFailure(
                "no answer from \(addresses); check that 'pathwise serve' runs there, and that "
                    + "firewalls let UDP through", .unavailable)
        default: error
        }
    }

    /// The name that the server has given this client, which has joined.
    private func nameThere(_ session: Session, _ profile: ClientProfile) async -> String {
        do {
            return try await Enrolment.request(
                session, key: profile.key.publicKey, name: clientName)
        } catch {
            // An earlier version does not tell it again.
            return clientName
        }
    }

    /// Connects with the new key, as later commands do, and closes the session after its use.
    private func withNewKey<Result>(
        of profile: ClientProfile, _ use: (Session) async -> Result
    ) async throws -> Result {
        do {
            let session = try await Session.connect(profile.options(policy: .minRTT))
            let result = await use(session)
            await session.close()
            return result
        } catch {
            let failure = CommandFailure(error)
            throw CommandFailure(
                "the server took this client, and the keys are in \(path), but connecting with "
                    + "them failed: \(failure.message)", failure.status)
        }
    }

    /// - Parameter folder: of `--state`; nil if it was not given.
    private func report(_ given: String, folder: String?) -> String {
        let options = "--server \(name)" + (folder.map { " --state \($0)" } ?? "")
        return """
            joined \(name) as \(given); the keys are in \(path)

            next, for example:
              pathwise forward tcp:8080 \(options)
              pathwise send FILE \(options)

            """
    }
}
