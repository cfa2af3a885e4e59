internal import CLinuxUDP
public import PathTelemetry
internal import Synchronization

/// Waits for sockets, a deadline, or a call of another thread: epoll with nanosecond time-outs.
///
/// It is level-triggered, unless `edge` is asked for: unread data is reported again. Only one thread may use it, except for the
/// `Waker`.
public struct Poller: ~Copyable, Sendable {
    /// The events to wait for; faults are always reported.
    public struct Interest: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        public static let readable = Interest(rawValue: 1)
        public static let writable = Interest(rawValue: 2)
        /// Events are told once, when they happen, and not as long as they last.
        public static let edge = Interest(rawValue: 8)
    }

    /// The events of one descriptor.
    public struct Event: Hashable, Sendable {
        /// The token passed to `add`.
        public let token: UInt64
        let ready: UInt32

        public var isReadable: Bool { ready & UInt32(CLU_READABLE) != 0 }
        public var isWritable: Bool { ready & UInt32(CLU_WRITABLE) != 0 }
        /// The error queue has an entry, or the descriptor is broken.
        public var hasFault: Bool { ready & UInt32(CLU_FAULT) != 0 }
    }

    /// The events of one wait: reusable storage.
    public struct Events: ~Copyable {
        fileprivate var entries = InlineArray<64, clu_event>(repeating: clu_event())
        /// How many descriptors are ready.
        public fileprivate(set) var count = 0
        /// Whether a `Waker` ended the wait or was called before it.
        fileprivate(set) var wasWoken = false

        public init() {}

        /// An event of the latest wait; `index` is below `count`.
        public subscript(index: Int) -> Event {
            precondition(index < count, "the wait brought \(count) events")
            return Event(token: entries[index].token, ready: entries[index].ready)
        }
    }

    /// The token of the wake-up descriptor, which `add` does not accept.
    private static let wakeToken = UInt64.max

    private let file: FileDescriptor
    /// Ends the current or the next wait from any thread.
    public let waker: Waker

    /// - Throws: `NetworkError.system` if no more descriptors can be opened.
    public init() throws(NetworkError) {
        let file = try FileDescriptor(clu_poller_create(), .openPoller, target: "an epoll instance")
        let waker = Waker(
            file: try FileDescriptor(clu_wake_create(), .openPoller, target: "an event descriptor"))
        let readable = Interest.readable.rawValue
        try check(
            clu_poller_change(file.raw, CLU_ADD, waker.descriptor, readable, Poller.wakeToken),
            .watchDescriptor, target: "an event descriptor")
        self.file = file
        self.waker = waker
    }

    /// Begins to watch a descriptor; its events carry `token`, any number but `UInt64.max`.
    public func add(
        _ descriptor: Int32, token: UInt64, interest: Interest = .readable
    ) throws(NetworkError) {
        precondition(token != Poller.wakeToken, "the largest token is taken")
        try change(CLU_ADD, descriptor, interest, token)
    }

    /// Changes what is waited for.
    public func modify(
        _ descriptor: Int32, token: UInt64, interest: Interest
    ) throws(NetworkError) {
        precondition(token != Poller.wakeToken, "the largest token is taken")
        try change(CLU_MODIFY, descriptor, interest, token)
    }

    /// Stops watching a descriptor; closing it does the same.
    public func remove(_ descriptor: Int32) throws(NetworkError) {
        try change(CLU_REMOVE, descriptor, [], 0)
    }

    private func change(
        _ change: clu_change, _ descriptor: Int32, _ interest: Interest, _ token: UInt64
    ) throws(NetworkError) {
        let result = clu_poller_change(file.raw, change, descriptor, interest.rawValue, token)
        try check(result, .watchDescriptor, target: "descriptor \(descriptor)")
    }

    /// Waits until a descriptor is ready, a waker is called, or the deadline passes (nil: never).
    ///
    /// If there is neither an event nor a wake-up, the deadline has passed or a signal came.
    /// - Throws: `NetworkError.system` if epoll itself fails.
    public func wait(until deadline: Instant?, into events: inout Events) throws(NetworkError) {
        events.count = 0
        events.wasWoken = false
        var timeout: Int64 = -1
        if let deadline, deadline != .distantFuture {
            timeout = max(0, (deadline - MonotonicClock.now()).nanoseconds)
        }
        var span = events.entries.mutableSpan
        let result = unsafe span.withUnsafeMutableBufferPointer { room in
            unsafe clu_poller_wait(file.raw, room.baseAddress, Int32(room.count), timeout)
        }
        try check(result, .wait, target: "an epoll instance")
        for index in 0..<Int(result) {
            let entry = events.entries[index]
            if entry.token == Poller.wakeToken {
                waker.clear()
                events.wasWoken = true
            } else {
                events.entries[events.count] = entry
                events.count &+= 1
            }
        }
    }

    /// Allows time-outs of the calling thread to be up to `slack` late, instead of Linux's 50 us.
    public static func setTimerSlack(_ slack: TimeDelta) {
        _ = clu_timer_slack(UInt64(max(1, slack.nanoseconds)))
    }
}

/// Ends a poller's wait from any thread.
///
/// A call before the wait also ends it, and several calls count as one.
public final class Waker: Sendable {
    private let file: FileDescriptor
    /// Set while the descriptor is readable, so that a second call needs no system call.
    private let isSet = Atomic<Bool>(false)

    init(file: consuming FileDescriptor) { self.file = file }

    var descriptor: Int32 { file.raw }

    /// Wakes the poller.
    public func wake() {
        guard !isSet.exchange(true, ordering: .acquiringAndReleasing) else { return }
        _ = clu_wake(file.raw)
    }

    /// The flag is cleared after the descriptor is drained, so this wake-up covers a call in
    /// between.
    func clear() {
        _ = clu_wake_clear(file.raw)
        isSet.store(false, ordering: .sequentiallyConsistent)
    }
}
