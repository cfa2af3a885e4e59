internal import CLinuxUDP
internal import Glibc
public import PathTransport

/// A non-blocking TCP socket of another program's connection, or one that listens for them.
///
/// Only one thread may use it. It is closed with the value; bytes that were written are still sent,
/// except after `resetOnClose`.
public struct TCPSocket: ~Copyable, Sendable {
    /// What a read or write did.
    public enum Transfer: Hashable, Sendable {
        /// So many bytes, at least one.
        case bytes(Int)
        /// The peer ended its half; for reads only.
        case end
        /// Nothing now.
        case wouldBlock
        /// The connection is broken; the errno.
        case failed(Int32)
    }

    /// What `accept` found.
    public enum Acceptance: ~Copyable, Sendable {
        case connection(TCPSocket, from: SocketAddress)
        case none
        /// The process or the system has no descriptor or memory left for it.
        case exhausted
    }

    private let file: FileDescriptor

    private init(_ file: consuming FileDescriptor) { self.file = file }

    /// Listens on an address; with port 0 the system chooses one.
    ///
    /// - Throws: `NetworkError.system` with the step that failed.
    public static func listen(
        on address: SocketAddress, backlog: Int = 4096
    ) throws(NetworkError) -> TCPSocket {
        let target = "\(address)"
        let family = Int32(address.family.rawValue)
        let file = try FileDescriptor(clu_tcp_socket(family), .openStream, target: target)
        try check(clu_tcp_reuse_address(file.raw), .setOption, target: target)
        if family == 6 {
            try check(clu_set_option(file.raw, CLU_V6_ONLY, 1), .setOption, target: target)
        }
        var raw = clu_address(address)
        try unsafe check(clu_bind(file.raw, family, &raw), .listen, target: target)
        try check(
            clu_tcp_listen(file.raw, Int32(clamping: backlog)), .listen, target: target)
        return TCPSocket(file)
    }

    /// Begins to connect; the socket becomes writable when that has ended, see `pendingError`.
    ///
    /// - Throws: `NetworkError.system` if the address cannot be reached at all.
    public static func connect(to address: SocketAddress) throws(NetworkError) -> TCPSocket {
        let target = "\(address)"
        let family = Int32(address.family.rawValue)
        let file = try FileDescriptor(clu_tcp_socket(family), .openStream, target: target)
        try check(clu_tcp_tune(file.raw), .setOption, target: target)
        var raw = clu_address(address)
        let result = unsafe clu_connect(file.raw, family, &raw)
        if result != -EINPROGRESS { try check(result, .connect, target: target) }
        return TCPSocket(file)
    }

    /// The next connection to a listening socket.
    public func accept() -> Acceptance {
        while true {
            var remote = clu_address()
            let result = unsafe clu_tcp_accept(file.raw, &remote)
            if let file = try? FileDescriptor(result, .listen, target: "") {
                _ = clu_tcp_tune(file.raw)
                return .connection(
                    TCPSocket(file), from: SocketAddress(remote) ?? .any(.ipv4, port: 0))
            }
            switch -result {
            case EAGAIN: return .none
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted
            // The client gave up meanwhile, or its network did: accept(2), "Error handling".
            default: continue
            }
        }
    }

    /// Reads the bytes that have arrived, as far as there is room.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        while true {
            let result = unsafe clu_tcp_read(file.raw, buffer.baseAddress, buffer.count)
            if result > 0 { return .bytes(result) }
            if result == 0 { return .end }
            if result == -Int(EINTR) { continue }
            return result == -Int(EAGAIN) ? .wouldBlock : .failed(Int32(clamping: -result))
        }
    }

    /// Writes as many bytes as the system takes.
    public func write(_ bytes: UnsafeRawBufferPointer) -> Transfer {
        while true {
            let result = unsafe clu_tcp_write(file.raw, bytes.baseAddress, bytes.count)
            if result >= 0 { return .bytes(result) }
            if result == -Int(EINTR) { continue }
            let isFull = result == -Int(EAGAIN) || result == -Int(ENOBUFS)
            return isFull ? .wouldBlock : .failed(Int32(clamping: -result))
        }
    }

    /// Ends the sending half after the written bytes.
    public func finish() { _ = clu_tcp_finish(file.raw) }

    /// Lets the end of this value break the connection (RST) instead of ending it.
    public func resetOnClose() { _ = clu_tcp_reset_on_close(file.raw) }

    /// The errno of the failed connection attempt or of the broken connection; nil if there is
    /// none.
    ///
    /// Reading it clears it.
    public var pendingError: Int32? {
        let result = clu_tcp_error(file.raw)
        return result == 0 ? nil : 0 - result
    }

    /// The address of this end.
    public var localAddress: SocketAddress? {
        var raw = clu_address()
        return unsafe clu_local_address(file.raw, &raw) == 0 ? SocketAddress(raw) : nil
    }

    /// The file descriptor, to watch with a `Poller`.
    public var descriptor: Int32 { file.raw }
}
