internal import Glibc
internal import PathNetwork
package import PathTransport
internal import Pathwise

extension ConnectionConfiguration {
    /// Sets the limits of a session that carries forwards, on either side.
    ///
    /// A flow whose reader is stuck holds its stream's window, 256 kB unless it was fast before,
    /// of the 64 MB that all streams share: so 256 of them stop, and the others go on. Windows of
    /// fast streams grow up to 16 MB.
    package mutating func prepareForForwards() {
        parameters.maximumStreams = max(parameters.maximumStreams, 8192)
        parameters.maximumStreamData = 256 << 10
        parameters.maximumData = 64 << 20
    }
}

/// How many files this process may have open.
package enum DescriptorLimit {
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
            _ = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return Int(clamping: limit.rlim_cur)
    }
}
