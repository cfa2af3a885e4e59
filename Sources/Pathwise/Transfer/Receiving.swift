internal import Glibc
internal import PathNetwork
public import PathTelemetry
import PathTransport

/// Where received items are put.
public enum ReceiveTarget: Sendable {
    /// Below a directory, under the sender's names.
    case directory(String)
    /// Into one file, whatever its name was.
    case file(String)
    /// To standard output, one item after the other.
    case standardOutput
}

/// What became of one received item.
public struct ReceivedItem: Sendable {
    public var name: String
    /// Where it is; the partial file when it is not complete.
    public var path: String
    public var bytes: UInt64
    public var digest: [UInt8]
    public var isComplete: Bool
    /// Why it is not complete.
    public var problem: String?
    /// Longest time in which no byte of it arrived, after the first.
    public var longestGap = TimeDelta.zero

    /// The digest as text.
    public var hexDigest: String { hexadecimal(digest) }
}

/// Stores what arrives: under a partial name until all of it is there and on the disk.
public final class ItemStore: Sendable {
    public static let partialSuffix = ".partial"
    private static let pieceLength = 1 << 18

    public let target: ReceiveTarget
    /// A single file takes one item.
    private let isTaken = Guarded(false)

    public init(target: ReceiveTarget) { self.target = target }

    /// Takes one item off its stream and answers the sender.
    ///
    /// - Parameter progress: called with the number of bytes stored since the last call.
    public func receive(
        _ stream: SessionStream, progress: @Sendable (Int) -> Void = { _ in }
    ) async -> ReceivedItem {
        var item = ReceivedItem(
            name: "", path: "", bytes: 0, digest: [], isComplete: false, problem: nil)
        do {
            let header = try await TransferHeader.read(from: stream)
            item.name = header.name
            try await store(header, stream, &item, progress)
            item.isComplete = true
        } catch {
            item.problem = "\(error)"
        }
        let answer = TransferResult(
            isStored: item.isComplete, bytes: item.bytes, digest: item.digest,
            text: item.problem ?? "")
        try? await stream.write(answer.encoded())
        try? stream.finish()
        return item
    }

    private func store(
        _ header: TransferHeader, _ stream: SessionStream, _ item: inout ReceivedItem,
        _ progress: @Sendable (Int) -> Void
    ) async throws {
        let final = try place(header)
        item.path = final ?? "-"
        if header.kind == .directory {
            item.digest = try await drain(stream)
            return
        }
        guard let final else {
            try await copy(stream, to: .standardOutput, &item, progress)
            return
        }
        let partial = final + ItemStore.partialSuffix
        let file = try OpenFile.writing(partial, mode: header.mode)
        item.path = partial
        try await copy(stream, to: file, &item, progress)
        guard header.size == TransferHeader.unknownSize || header.size == item.bytes else {
            throw SessionError.transfer("\(item.bytes) of \(header.size) bytes arrived")
        }
        try file.synchronize()
        guard rename(partial, final) == 0 else { throw FileError(.rename, partial) }
        item.path = final
    }

    /// Where an item goes, with the directories above it; nil is standard output.
    private func place(_ header: TransferHeader) throws -> String? {
        switch target {
        case .standardOutput: return nil
        case .file(let path):
            guard header.kind != .directory else {
                throw SessionError.refusedByPeer(
                    "a directory was sent, and the output is one file; receive into a directory")
            }
            let wasTaken = isTaken.withLock { taken in
                defer { taken = true }
                return taken
            }
            guard !wasTaken else {
                throw SessionError.refusedByPeer(
                    "more than one item was sent, and the output is one file; "
                        + "receive into a directory")
            }
            return path
        case .directory(let root):
            let name = header.kind == .pipe ? "stdin" : header.name
            var named = header
            named.name = name
            guard let components = named.safeComponents else {
                throw SessionError.transfer("'\(header.name)' is no name below a directory")
            }
            var path = root
            for component in components.dropLast() {
                path += "/" + component
                try makeDirectory(path, mode: 0o777)
            }
            path += "/" + (components.last ?? "")
            if header.kind == .directory { try makeDirectory(path, mode: header.mode | 0o700) }
            return path
        }
    }

    private func makeDirectory(_ path: String, mode: UInt16) throws(FileError) {
        guard mkdir(path, mode_t(mode)) == 0 || errno == EEXIST else {
            throw FileError(.create, path)
        }
    }

    private func copy(
        _ stream: SessionStream, to file: OpenFile, _ item: inout ReceivedItem,
        _ progress: @Sendable (Int) -> Void
    ) async throws {
        var digest = try RunningDigest()
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: ItemStore.pieceLength, alignment: 64)
        defer { buffer.deallocate() }
        var last: Instant?
        while true {
            let count = try await stream.read(into: buffer)
            if count == 0 { break }
            let now = MonotonicClock.now()
            if let last { item.longestGap = max(item.longestGap, now - last) }
            last = now
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            try digest.update(piece)
            try file.write(piece)
            item.bytes += UInt64(count)
            progress(count)
        }
        item.digest = try digest.finish()
    }

    private func drain(_ stream: SessionStream) async throws -> [UInt8] {
        var digest = try RunningDigest()
        let rest = try await stream.readExactly(1)
        guard rest.isEmpty else { throw SessionError.transfer("a directory with content") }
        try digest.update(UnsafeRawBufferPointer(start: nil, count: 0))
        return try digest.finish()
    }
}

extension TransferHeader {
    static func read(from stream: SessionStream) async throws(SessionError) -> TransferHeader {
        let fixed = try await stream.readExactly(fixedLength)
        guard let (parsed, length) = parse(fixed) else { throw .transfer("malformed header") }
        var header = parsed
        let name = try await stream.readExactly(length)
        guard name.count == length, let text = String(validating: name, as: UTF8.self) else {
            throw .transfer("malformed name")
        }
        header.name = text
        return header
    }
}
