internal import Glibc

/// A thread of the system that runs one closure and ends.
///
/// Whoever starts it calls `join` or `detach`, once.
public struct WorkerThread: Sendable {
    /// No thread could be had; the system's error number.
    public struct Refusal: Error, Sendable {
        public let code: Int32
    }

    private let handle: pthread_t

    /// Carries the closure over to the thread.
    private final class Box {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a thread.
    ///
    /// - Parameter name: what `top -H` and debuggers show; the kernel keeps 15 bytes of it.
    public init(
        named name: String, _ body: @escaping @Sendable () -> Void
    ) throws(Refusal) {
        var handle = pthread_t()
        let argument = Unmanaged.passRetained(Box(name, body)).toOpaque()
        let code = pthread_create(
            &handle, nil,
            { argument in
                guard let argument else { return nil }
                let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
                WorkerThread.nameThis(box.name)
                box.body()
                return nil
            }, argument)
        guard code == 0 else {
            Unmanaged<Box>.fromOpaque(argument).release()
            throw Refusal(code: code)
        }
        self.handle = handle
    }

    /// Waits for the closure's end.
    public func join() { pthread_join(handle, nil) }

    /// Lets the thread go on by itself.
    public func detach() { pthread_detach(handle) }

    /// Names the calling thread, as far as `/proc` is there.
    private static func nameThis(_ name: String) {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, name, name.utf8.count)
        close(file)
    }
}
