import PathNetwork
import PathTelemetry
import Pathwise
import Synchronization

/// One message that arrived.
struct Arrival: Sendable {
    var number: Int
    var sent: Instant
    var arrived: Instant
}

/// The arrivals of one run, written by the receiver's tasks and read for display.
final class ArrivalLog: Sendable {
    struct State: Sendable {
        var messages: [Arrival] = []
        /// Number of messages with wrong bytes.
        var damaged = 0
        var fileBytes = 0
        /// Received bytes of the file, at every arrival.
        var progress: [(at: Instant, bytes: Int)] = []
        var item: ReceivedItem?
        /// When the file was complete.
        var finished: Instant?
    }

    private let state = Mutex(State())
    private let messageBytes: Int

    init(messageBytes: Int) { self.messageBytes = messageBytes }

    var snapshot: State { state.withLock { $0 } }
    /// Messages and bytes of the file received so far.
    var counts: (messages: Int, fileBytes: Int) {
        state.withLock { ($0.messages.count, $0.fileBytes) }
    }

    /// Receives everything from the first client of a server until its connection ends.
    func serve(_ server: Server, into store: ItemStore) async {
        for await client in server.sessions {
            async let messages: Void = takeMessages(client)
            async let items: Void = takeItems(client, store)
            _ = await (messages, items)
        }
    }

    private func takeMessages(_ client: Session) async {
        for await message in client.messages {
            let now = MonotonicClock.now()
            let parsed = MessageFeed.parse(message.bytes, count: messageBytes)
            state.withLock { state in
                guard let parsed else {
                    state.damaged += 1
                    return
                }
                state.messages.append(
                    Arrival(number: parsed.number, sent: parsed.sent, arrived: now))
            }
        }
    }

    private func takeItems(_ client: Session, _ store: ItemStore) async {
        for await stream in client.streams {
            let turn = store.nextTurn()
            let item = await store.receive(stream, from: client.peerKey, turn: turn) { count in
                let now = MonotonicClock.now()
                self.state.withLock { state in
                    state.fileBytes += count
                    state.progress.append((now, state.fileBytes))
                }
            }
            let now = MonotonicClock.now()
            state.withLock { state in
                state.item = item
                state.finished = now
            }
        }
    }
}
