import Glibc

/// Reads a file line by line, in constant memory.
enum LineReader {
    /// The longest line, bytes; a longer one is no decision of a log.
    private static let longestLine = 1 << 20
    private static let chunk = 1 << 20

    /// Calls `body` with each line, without its end, and the size of the file if it is known.
    static func forEachLine(
        of path: String,
        _ body: (_ line: UnsafeBufferPointer<UInt8>, _ fileBytes: Int) throws(EvaluationError) ->
            Void
    ) throws(EvaluationError) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw .cannotRead(path: path, reason: String(cString: strerror(errno)))
        }
        defer { close(file) }
        var status = stat()
        let size = fstat(file, &status) == 0 ? max(0, Int(status.st_size)) : 0
        var room = [UInt8](repeating: 0, count: chunk + longestLine)
        var held = 0
        var lines = 0
        while true {
            let count = room.withUnsafeMutableBytes { room in
                read(file, room.baseAddress.map { $0 + held }, chunk)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw .cannotRead(path: path, reason: String(cString: strerror(errno)))
            }
            let end = held + count
            let start = try room.withUnsafeBufferPointer { room throws(EvaluationError) -> Int in
                try split(room, end, isLast: count == 0) { line throws(EvaluationError) in
                    lines += 1
                    try body(line, size)
                }
            }
            if count == 0 { break }
            held = end - start
            guard held < longestLine else {
                throw .log(
                    path: path, row: max(1, lines), column: nil,
                    problem: "longer than \(longestLine) bytes; is this a log?")
            }
            room.withUnsafeMutableBytes { room in
                guard let base = room.baseAddress else { return }
                memmove(base, base + start, held)
            }
        }
    }

    /// Calls `body` with whole lines; returns where the first incomplete one starts.
    private static func split(
        _ room: UnsafeBufferPointer<UInt8>, _ end: Int, isLast: Bool,
        _ body: (UnsafeBufferPointer<UInt8>) throws(EvaluationError) -> Void
    ) throws(EvaluationError) -> Int {
        guard let base = room.baseAddress else { return 0 }
        var start = 0
        while start < end {
            var stop = end
            if let found = memchr(base + start, 0x0a, end - start) {
                stop = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) - base
            } else if !isLast {
                return start
            }
            var last = stop
            if last > start, base[last - 1] == 0x0d { last -= 1 }
            try body(UnsafeBufferPointer(start: base + start, count: last - start))
            start = min(end, stop + 1)
        }
        return start
    }
}
