internal import Glibc

/// A system thread that runs one closure and ends.
///
/// The caller must call `join` or `detach` once.
public struct WorkerThread: Sendable {
    /// The thread could not be started; `code` is the errno.
    public struct Refusal: Error, Sendable {
        public let code: Int32
    }

    private let handle: pthread_t

    /// Passes the closure to the thread.
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
    /// - Parameter name: the name in `top -H` and debuggers; the kernel keeps 15 bytes of it.
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

    /// Waits until the closure has ended.
    public func join() { pthread_join(handle, nil) }

    /// Lets the thread run on its own.
    public func detach() { pthread_detach(handle) }

    /// Names the calling thread if `/proc` exists.
    private static func nameThis(_ name: String) {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, name, name.utf8.count)
        close(file)
    }
}
