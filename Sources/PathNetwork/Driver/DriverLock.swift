internal import CLinuxUDP
internal import Glibc
internal import Synchronization

/// The lock between a driver's thread and its callers.
///
/// The driver lets callers go first: it holds the lock nearly all the time when it is busy, and a
/// plain mutex would starve them.
final class DriverLock: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let waiting = Atomic<Int>(0)

    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        _ = unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        _ = unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deinitialize(count: 1)
        unsafe mutex.deallocate()
    }

    /// A caller's turn.
    func lock() {
        waiting.add(1, ordering: .relaxed)
        _ = unsafe pthread_mutex_lock(mutex)
        waiting.subtract(1, ordering: .relaxed)
    }

    func unlock() { _ = unsafe pthread_mutex_unlock(mutex) }

    /// The driver's turn: after the callers that wait already, within reason.
    func lockAsDriver() {
        var patience = 64
        while patience > 0, waiting.load(ordering: .relaxed) > 0 {
            patience -= 1
            sched_yield()
        }
        _ = unsafe pthread_mutex_lock(mutex)
    }
}

/// Starts a thread that runs `body` once.
func startThread(named name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
    final class Box {
        let body: @Sendable () -> Void
        let name: String
        init(_ body: @escaping @Sendable () -> Void, _ name: String) {
            self.body = body
            self.name = name
        }
    }
    var thread = pthread_t()
    let argument = unsafe Unmanaged.passRetained(Box(body, name)).toOpaque()
    let result = unsafe pthread_create(
        &thread, nil,
        { argument in
            guard let argument = unsafe argument else { return nil }
            let box = unsafe Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
            _ = unsafe clu_thread_name(box.name)
            box.body()
            return nil
        }, argument)
    if result != 0 {
        unsafe Unmanaged<Box>.fromOpaque(argument).release()
        return false
    }
    _ = unsafe pthread_detach(thread)
    return true
}
