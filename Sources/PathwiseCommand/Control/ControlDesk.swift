import Synchronization

/// Takes requests to change this process, one after another: from its socket, over HTTP, and by SIGHUP.
///
/// *Any thread.*
final class ControlDesk: Sendable {
    /// Makes a change of words, and calls the closure once with the answer, from any thread.
    typealias Handler =
        @Sendable (
            _ words: [String], _ origin: ControlOrigin,
            _ reply: @escaping @Sendable (ControlAnswer) -> Void
        ) -> Void

    private struct Item: Sendable {
        let request: String
        let origin: ControlOrigin
        let action: ControlAction
        let reply: @Sendable (ControlAnswer) -> Void
    }

    private let process: String
    private let items: AsyncStream<Item>.Continuation
    private let work: Task<Void, Never>

    /// - Parameters:
    ///   - process: the command of this process.
    ///   - perform: makes a change; it is called for one at a time.
    ///   - note: is told of every answer, for log and status.
    init(
        process: String, perform: @escaping @Sendable (ControlAction) async throws -> ControlAnswer,
        note: @escaping @Sendable (ControlAnswer) -> Void
    ) {
        self.process = process
        let (stream, continuation) = AsyncStream<Item>.makeStream(
            bufferingPolicy: .bufferingOldest(64))
        items = continuation
        work = Task {
            for await item in stream {
                var answer: ControlAnswer
                do { answer = try await perform(item.action) } catch {
                    answer = ControlAnswer(request: "", failure: CommandFailure(error))
                }
                answer.request = item.request
                answer.origin = item.origin
                note(answer)
                item.reply(answer)
            }
        }
    }

    /// Takes the words of a request.
    ///
    /// - Parameters:
    ///   - words: of the request.
    ///   - origin: by what they came.
    ///   - reply: is called once with the answer.
    func submit(
        _ words: [String], by origin: ControlOrigin,
        reply: @escaping @Sendable (ControlAnswer) -> Void
    ) {
        let request = words.joined(separator: " ")
        do throws(CommandFailure) {
            let action = try ControlCatalogue.action(of: words, for: process)
            submit(request, action, by: origin, reply: reply)
        } catch {
            reply(ControlAnswer(request: request, origin: origin, failure: error))
        }
    }

    /// Takes an action; its answer goes to the log too.
    private func submit(
        _ request: String, _ action: ControlAction, by origin: ControlOrigin,
        reply: @escaping @Sendable (ControlAnswer) -> Void = { _ in }
    ) {
        let item = Item(request: request, origin: origin, action: action, reply: reply)
        guard case .enqueued = items.yield(item) else {
            return reply(
                ControlAnswer(
                    request: request, origin: origin,
                    failure: CommandFailure(
                        "the process ends, or has too many requests; try again", .temporary)))
        }
    }

    /// Asks for a reload at each SIGHUP since the start of the program, until the task is cancelled.
    func followSignal() async {
        for await _ in HangUp.all { submit("reload", .reload, by: .signal) }
    }

    /// Takes no more requests, and does not wait for the present one.
    func close() {
        items.finish()
        work.cancel()
    }
}
