import PathTelemetry

/// Work that waits for the name server or the disk.
enum Blocking {
    /// Runs it on a thread of its own, since tasks have few threads.
    static func run<Result: Sendable>(
        _ work: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            do throws(WorkerThread.Refusal) {
                try WorkerThread(named: "pathwise-config") {
                    continuation.resume(with: Swift.Result { try work() })
                }.detach()
            } catch {
                continuation.resume(
                    throwing: CommandFailure(
                        "cannot start a thread: \(systemText(error.code))", .systemError))
            }
        }
    }
}
