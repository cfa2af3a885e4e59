internal import Glibc
internal import Synchronization

/// The lock between a driver's thread and its callers.
///
/// The driver lets callers go first: when busy it holds the lock nearly all the time, and with a
/// plain mutex callers would starve.
@safe final class DriverLock: @unchecked Sendable {
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

    /// Locks for a caller.
    func lock() {
        waiting.add(1, ordering: .relaxed)
        _ = unsafe pthread_mutex_lock(mutex)
        waiting.subtract(1, ordering: .relaxed)
    }

    func unlock() { _ = unsafe pthread_mutex_unlock(mutex) }

    /// Locks for the driver, after callers that are already waiting, with a bounded wait.
    func lockAsDriver() {
        var patience = 64
        while patience > 0, waiting.load(ordering: .relaxed) > 0 {
            patience -= 1
            sched_yield()
        }
        _ = unsafe pthread_mutex_lock(mutex)
    }
}
