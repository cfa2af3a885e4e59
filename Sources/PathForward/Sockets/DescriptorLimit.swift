internal import Glibc
internal import Synchronization

/// How many files this process may have open, and what becomes of flows at that limit.
///
/// Some descriptors are kept for what flows need for a moment: names that are looked up, and the
/// dialogs of proxies, whose clients are then told why. Half of these stay free even then, because
/// libdispatch ends a process that cannot open the states of its threads in /proc
/// (`_dispatch_workq_monitor_pools`). *Any thread.*
package enum DescriptorLimit {
    /// Whose limit it is, for the text that both sides read.
    enum Side: String, Sendable {
        case client, server

        /// Only a server has rules for its peer.
        init(hasRules: Bool) { self = hasRules ? .server : .client }
    }

    /// Held while the last descriptors may be taken for a moment: otherwise another listener or a
    /// probe takes the spare one while it is lent, and keeps it.
    static let spare = Mutex(SpareDescriptor())

    /// Raises the limit as far as the system lets this user, because each flow has a descriptor.
    ///
    /// - Returns: the limit from now on.
    @discardableResult
    package static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return current
    }

    /// The limit now; zero if it is not known.
    static var current: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many descriptors flows leave free.
    ///
    /// - Parameter limit: of the process.
    static func reserve(of limit: Int) -> Int { max(4, min(64, limit / 8)) }

    /// Why a new flow whose socket has this descriptor is refused; nil if it is not.
    ///
    /// The system gives the lowest number that is free (POSIX, "File Descriptor Allocation"), so a
    /// high one says that those below are in use.
    static func shortage(at descriptor: Int32, of side: Side) -> ForwardResult? {
        let limit = current
        return limit > 0 && Int(descriptor) >= limit - reserve(of: limit)
            ? result(of: EMFILE, side) : nil
    }

    /// Whether so few are left that not even a dialog may keep this one.
    static func isScarce(at descriptor: Int32) -> Bool {
        let limit = current
        return limit > 0 && Int(descriptor) >= limit - reserve(of: limit) / 2
    }

    /// Why a new flow that has no socket yet is refused; nil if it is not.
    static func shortage(of side: Side) -> ForwardResult? {
        spare.withLock { _ in
            let probe = openProbe()
            guard probe >= 0 else { return result(of: errno, side) }
            defer { close(probe) }
            return shortage(at: probe, of: side)
        }
    }

    /// What a flow is told for the errno of a call that needed a descriptor; nil if it had another
    /// reason to fail.
    static func result(of code: Int32, _ side: Side) -> ForwardResult? {
        switch code {
        case EMFILE:
            ForwardResult(
                .limitReached,
                "the \(side)'s limit of open files (\(current)) is reached; there raise "
                    + "LimitNOFILE= of the service, or 'ulimit -n' before it starts")
        case ENFILE:
            ForwardResult(
                .limitReached,
                "no more files can be opened on the \(side)'s host; there raise the sysctl "
                    + "fs.file-max")
        default: nil
        }
    }

    fileprivate static func openProbe() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }
}

/// A descriptor that is given up for a moment to accept a connection and to refuse it when no other
/// descriptor is left.
///
/// Without it such connections would wait in the system's queue, and their programs with them.
struct SpareDescriptor: ~Copyable {
    private var file: Int32 = -1

    deinit { if file >= 0 { close(file) } }

    /// Takes the descriptor, if it is not there and another one is free.
    mutating func restore() {
        if file < 0 { file = DescriptorLimit.openProbe() }
    }

    /// Runs a closure while the descriptor is free.
    mutating func lend<Result>(_ body: () -> Result) -> Result {
        if file >= 0 { close(file) }
        file = -1
        defer { restore() }
        return body()
    }
}
