import PathForward
import Pathwise

/// Serves the streams of one client's session, told apart by their first bytes: forwards and items.
struct ClientService {
    let client: ServedClient
    let forwards: ForwardService
    /// Nil if no items are taken.
    let store: ItemStore?
    let log: ServeLog

    /// Returns when the session has ended.
    func run() async {
        await forwards.run { stream, first in await take(stream, first) }
    }

    /// Takes a stream that is no forward.
    private func take(_ stream: SessionStream, _ first: [UInt8]) async {
        guard !first.starts(with: Opening.magic) else {
            try? await stream.write(answer(toEnrolment: first).encoded())
            try? stream.finish()
            return
        }
        guard let store else {
            _ = await ItemStore.refuse(
                stream, prefix: first, from: client.key, reason: .cannotCreate,
                "this server takes no files; start it with --output FOLDER")
            return
        }
        let turn = store.nextTurn()
        let item = await store.receive(stream, prefix: first, from: client.key, turn: turn)
        if let item { log.item(item, client: client.name) }
    }

    /// The answer to a client that has joined and asks again: its name, which it does not know if the
    /// first answer was lost.
    private func answer(toEnrolment first: [UInt8]) -> ForwardResult {
        guard case .enrol(client.key, _)? = try? Opening.read(first)?.opening else {
            return ForwardResult(.malformed, "this client has joined already")
        }
        return ForwardResult(.ok, client.name)
    }
}
