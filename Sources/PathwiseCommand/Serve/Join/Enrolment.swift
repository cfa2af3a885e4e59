import PathForward
import PathTelemetry
import PathTransport
import Pathwise

/// How a new client gets into a server's list: both sides of the exchange.
///
/// docs/protocol.md, "Enrolment".
enum Enrolment {
    /// How long a newcomer may take; then its connection is closed.
    private static let timeLimit = Duration.seconds(10)

    // MARK: the server

    /// What the server did with a newcomer.
    enum Outcome {
        case enrolled(name: String, PublicKey)
        case refused(String)
    }

    /// Serves a newcomer: takes one enrolment, answers, and closes the session.
    ///
    /// - Parameter admit: adds the key under the name or another one, and lets it connect from then
    ///   on; nil if the token was used.
    static func serve(
        _ session: Session, admit: (PublicKey, String) throws -> String?
    ) async -> Outcome {
        let limit = Task {
            try await Task.sleep(for: timeLimit)
            await session.close()
        }
        defer { limit.cancel() }
        let outcome = await answer(session, admit: admit)
        await session.close()
        return outcome
    }

    private static func answer(
        _ session: Session, admit: (PublicKey, String) throws -> String?
    ) async -> Outcome {
        guard let stream = await session.acceptStream() else {
            return .refused("it left without a word")
        }
        let result: ForwardResult
        let outcome: Outcome
        do {
            guard case .enrol(let key, let wanted)? = try await opening(of: stream) else {
                throw ForwardError.malformedOpening("something else than an enrolment")
            }
            let name = InviteText.plainName(wanted, or: "client")
            if let given = try admit(key, name) {
                result = ForwardResult(.ok, given)
                outcome = .enrolled(name: given, key)
            } else {
                result = ForwardResult(
                    .denied,
                    "the token was used already; make another on the server with 'pathwise invite'")
                outcome = .refused("its token was used already")
            }
        } catch let error as ForwardError {
            result = ForwardResult(.malformed, "\(error)")
            outcome = .refused("\(error)")
        } catch let error as SessionError {
            return .refused("\(error)")
        } catch {
            result = ForwardResult(
                .limitReached, "the server cannot change its list of clients; see its log")
            outcome = .refused("\(error)")
        }
        do {
            try await stream.write(result.encoded())
            try stream.finish()
            try await stream.waitUntilDelivered()
        } catch {
            // The newcomer is gone; what was decided holds.
        }
        return outcome
    }

    /// The opening of a stream; nil if the stream ends before.
    private static func opening(of stream: SessionStream) async throws -> Opening? {
        var bytes: [UInt8] = []
        while true {
            if let (opening, _) = try Opening.read(bytes) { return opening }
            let more = try await stream.read(atMost: 4096)
            guard !more.isEmpty else { return nil }
            bytes += more
        }
    }

    // MARK: the client

    /// Asks the server to add a key.
    ///
    /// - Parameter session: connected with the token's key.
    /// - Returns: the name that the server gave this client.
    static func request(_ session: Session, key: PublicKey, name: String) async throws -> String {
        let stream = try session.openStream()
        try await stream.write(Opening.enrol(key: key, name: name).encoded())
        try stream.finish()
        var bytes: [UInt8] = []
        while true {
            if let (result, _) = try ForwardResult.read(bytes) {
                guard result.code == .ok else {
                    throw CommandFailure(
                        result.text.isEmpty ? "the server refused the token" : result.text,
                        result.code == .denied ? .noPermission : .temporary)
                }
                return result.text
            }
            let more = try await stream.read(atMost: 4096)
            guard !more.isEmpty else {
                throw CommandFailure(
                    "the server ended the enrolment without an answer", .unavailable)
            }
            bytes += more
        }
    }
}
