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
