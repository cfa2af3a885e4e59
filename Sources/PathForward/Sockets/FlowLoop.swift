internal import CLinuxUDP
package import PathNetwork
internal import PathTelemetry
internal import Synchronization

/// Serves the TCP sockets of a forwarder or a service: one epoll instance, edge triggered, and a
/// thread.
///
/// *Any thread*: `run`, `tell`, `stop`. *Loop's turn*: the rest, from its members. The turn is the
/// thread's own, unless it only waits and another thread has news for a member: to wake it takes
/// longer than what is usually to be done, so that thread takes the turn. A member lives as long as
/// it is in the loop.
package final class FlowLoop: @unchecked Sendable {
    /// What may be told to a member from another thread.
    struct Note: Sendable {
        let token: UInt64
        let news: News
    }

    /// What happened to a member, apart from its socket.
    enum News: Sendable {
        case changed
        case stopped
        case ended
    }

    private struct Inbox {
        var notes: [Note] = []
        var work: [@Sendable (FlowLoop) -> Void] = []
        var isStopping = false
    }

    /// Bytes that one call moves between a socket and a stream.
    static let pieceLength = 65_536

    private let poller: Poller
    private let waker: Waker
    private let inbox = Mutex(Inbox())
    /// Held during the loop's turn; it guards what is used in it.
    private let turn = Mutex(())
    /// Memory for bytes under way: a flow keeps bytes of its own only while a socket or a stream is
    /// full.
    let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: FlowLoop.pieceLength, alignment: 64)
    private var ready = Poller.Events()
    private var members: [UInt64: LoopMember] = [:]
    /// Members whose turn has come.
    private var due: [UInt64] = []
    private var nextToken: UInt64 = 0
    /// No later than the first deadline of a member.
    private var nextDeadline = Instant.distantFuture
    /// Until when the thread waits unless it is woken.
    private var waitsUntil = Instant.zero
    /// When another thread last took the turn.
    private var takenAt = Instant.zero
    private(set) var now = MonotonicClock.now()
    /// News that come faster than this are not handled by the thread that brings them, but by another
    /// one beside it: the loop's thread, or, for messages, the task that reads them.
    static let pause = TimeDelta.microseconds(100)

    /// Starts the thread.
    ///
    /// - Throws: `NetworkError.system` if descriptors or threads are used up.
    package init(named name: String = "pathwise-flows") throws(NetworkError) {
        FlowLoop.returnBuffers()
        DescriptorLimit.spare.withLock { $0.restore() }
        poller = try Poller()
        waker = poller.waker
        do throws(WorkerThread.Refusal) {
            try WorkerThread(named: name) { [self] in serve() }.detach()
        } catch {
            throw .system(.startThread, target: "the sockets of forwards", code: error.code)
        }
    }

    deinit { scratch.deallocate() }

    /// Lets the C library give buffers of streams back to the system when they are freed.
    ///
    /// In its heap they leave holes: after five rounds of 2,000 connections a process had 190 MB
    /// instead of 41, and more after each round (glibc 2.36).
    private static func returnBuffers() { _ = clu_return_blocks(Int32(pieceLength)) }

    // MARK: any thread

    /// Runs a closure on the loop's thread; it is dropped if the loop has stopped.
    ///
    /// - Parameter otherwise: is called if it is dropped.
    func run(
        _ work: @escaping @Sendable (FlowLoop) -> Void, otherwise: () -> Void = {}
    ) {
        let isTaken = inbox.withLock { inbox in
            guard !inbox.isStopping else { return false }
            inbox.work.append(work)
            return true
        }
        waker.wake()
        if !isTaken { otherwise() }
    }

    /// Runs a closure that ends a member; returns when nothing is left of it, so that its address is
    /// free.
    func end(_ work: @escaping @Sendable (FlowLoop) -> Void) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            run(
                { loop in
                    work(loop)
                    // Nothing holds the member any more when the next work is done.
                    loop.run({ _ in continuation.resume() }, otherwise: { continuation.resume() })
                }, otherwise: { continuation.resume() })
        }
    }

    /// Tells a member what happened.
    func tell(_ token: UInt64, _ news: News) {
        if news == .changed, let isEnough = takeTurn(token) {
            if !isEnough { waker.wake() }
            return
        }
        inbox.withLock { $0.notes.append(Note(token: token, news: news)) }
        waker.wake()
    }

    /// Gives a member a turn on the calling thread, if the loop only waits.
    ///
    /// - Returns: whether the loop's thread need not look sooner than it will; nil if the loop has
    ///   other things to do.
    private func takeTurn(_ token: UInt64) -> Bool? {
        turn.withLockIfAvailable { _ -> Bool? in
            let isIdle = inbox.withLock { $0.notes.isEmpty && $0.work.isEmpty && !$0.isStopping }
            let moment = MonotonicClock.now()
            guard isIdle, due.isEmpty, moment - takenAt > FlowLoop.pause else { return nil }
            now = moment
            if let member = members[token] {
                member.note(.changed)
                member.takeTurn(self)
            }
            takenAt = MonotonicClock.now()
            return due.isEmpty && nextDeadline >= waitsUntil
        } ?? nil
    }

    /// Ends the thread after the work that was given to it; open sockets are reset.
    package func stop() {
        inbox.withLock { $0.isStopping = true }
        waker.wake()
    }

    // MARK: the loop's turn

    /// Takes a member in and gives it its first turn.
    func add(_ member: LoopMember) {
        nextToken += 1
        member.token = nextToken
        members[nextToken] = member
        schedule(member)
    }

    /// Gives a member a turn soon.
    func schedule(_ member: LoopMember) {
        guard !member.isDue else { return }
        member.isDue = true
        due.append(member.token)
    }

    /// Ends a member; its socket is closed with it.
    func remove(_ member: LoopMember) {
        members[member.token] = nil
    }

    /// Watches a socket for a member, in both directions, edge-triggered; another member that had
    /// the socket before hears nothing of it any more.
    ///
    /// - Returns: false if the system has no memory for it.
    func watch(_ descriptor: Int32, for member: LoopMember) -> Bool {
        let interest: Poller.Interest = [.readable, .writable, .edge]
        do throws(NetworkError) {
            try poller.add(descriptor, token: member.token, interest: interest)
        } catch {
            let isMoved: Void? = try? poller.modify(
                descriptor, token: member.token, interest: interest)
            return isMoved != nil
        }
        return true
    }

    /// Notes that a member's deadline changed.
    func noteDeadline(_ deadline: Instant) { nextDeadline = min(nextDeadline, deadline) }

    /// How many members there are.
    var count: Int { members.count }

    private func serve() {
        while true {
            guard let deadline = turn.withLock({ _ in round() }) else { return }
            do throws(NetworkError) {
                try poller.wait(until: deadline, into: &ready)
            } catch {
                return turn.withLock { _ in end() }
            }
        }
    }

    /// Does what there is to do; returns until when to wait then, nil at the end.
    private func round() -> Instant? {
        now = MonotonicClock.now()
        let (notes, work, isStopping) = inbox.withLock { inbox in
            let taken = (inbox.notes, inbox.work, inbox.isStopping)
            inbox.notes.removeAll(keepingCapacity: inbox.notes.count < 1024)
            inbox.work.removeAll()
            return taken
        }
        for item in work { item(self) }
        for index in 0..<ready.count { handle(ready[index]) }
        for note in notes { handle(note) }
        if isStopping {
            end()
            return nil
        }
        if now >= nextDeadline { handleDeadlines() }
        takeTurns()
        waitsUntil = due.isEmpty ? nextDeadline : now
        return waitsUntil
    }

    private func handle(_ event: Poller.Event) {
        guard let member = members[event.token] else { return }
        member.note(
            readable: event.isReadable || event.hasFault,
            writable: event.isWritable || event.hasFault, fault: event.hasFault)
        schedule(member)
    }

    private func handle(_ note: Note) {
        guard let member = members[note.token] else { return }
        member.note(note.news)
        schedule(member)
    }

    private func handleDeadlines() {
        nextDeadline = .distantFuture
        for member in members.values {
            if member.deadline <= now {
                schedule(member)
            } else {
                nextDeadline = min(nextDeadline, member.deadline)
            }
        }
    }

    /// One turn for each member that is due now; those that become due meanwhile wait for the next
    /// round, so that sockets are looked at in between.
    private func takeTurns() {
        let turns = due
        due.removeAll(keepingCapacity: true)
        for token in turns {
            guard let member = members[token] else { continue }
            member.isDue = false
            member.takeTurn(self)
        }
    }

    private func end() {
        for member in Array(members.values) { member.abandon(self) }
        members.removeAll()
    }
}

/// Something that a loop serves: a listener, or a connection in one of its phases.
///
/// It is used in the loop's turn only.
class LoopMember {
    /// Its number in the loop, set by `FlowLoop.add`.
    fileprivate(set) final var token: UInt64 = 0
    fileprivate(set) final var isDue = false
    /// When it wants a turn even if nothing happens.
    fileprivate(set) final var deadline = Instant.distantFuture

    final func setDeadline(_ deadline: Instant, _ loop: FlowLoop) {
        self.deadline = deadline
        loop.noteDeadline(deadline)
    }

    /// Notes the state of its socket; a turn follows.
    func note(readable: Bool, writable: Bool, fault: Bool) {}

    /// Notes what happened elsewhere; a turn follows.
    func note(_ news: FlowLoop.News) {}

    /// Does all that can be done now without waiting.
    func takeTurn(_ loop: FlowLoop) {}

    /// Breaks its connections, because the loop ends.
    func abandon(_ loop: FlowLoop) {}
}
