import Glibc

/// Reads a text file line by line, in constant memory.
final class LineFile {
    /// Size of the longest line, bytes; no measurement has longer ones.
    static let lineLimit = 1 << 16

    let path: String
    /// The number of the last line read, counted from one.
    private(set) var number = 0
    private let file: UnsafeMutablePointer<FILE>
    private let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: lineLimit)

    init(_ path: String) throws(TraceError) {
        self.path = path
        var status = stat()
        guard stat(path, &status) == 0, let file = fopen(path, "re") else {
            throw .importRefused(
                path: path, line: 0, what: "cannot open it: " + String(cString: strerror(errno)))
        }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            fclose(file)
            throw .importRefused(path: path, line: 0, what: "it is a folder")
        }
        self.file = file
    }

    deinit {
        buffer.deallocate()
        fclose(file)
    }

    /// The next line without its line break; nil after the last.
    func next() throws(TraceError) -> String? {
        guard fgets(buffer, Int32(LineFile.lineLimit), file) != nil else {
            if ferror(file) != 0 {
                throw refusal("cannot read it: " + String(cString: strerror(errno)))
            }
            return nil
        }
        number += 1
        let count = strlen(buffer)
        var bytes = UnsafeRawBufferPointer(start: buffer, count: count)
        // A line without a line break is the file's last one, or longer than the buffer.
        guard bytes.last == 0x0a || feof(file) != 0 else {
            throw refusal(
                "the line is longer than \(LineFile.lineLimit) bytes or holds a zero byte")
        }
        while let last = bytes.last, last == 0x0a || last == 0x0d {
            bytes = UnsafeRawBufferPointer(rebasing: bytes.dropLast())
        }
        // Some programs put a byte-order mark before the first line.
        if number == 1, bytes.starts(with: LineFile.mark) {
            bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(LineFile.mark.count))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let mark: [UInt8] = [0xef, 0xbb, 0xbf]

    /// The whole file; nil if it is longer than `limit`.
    static func content(of path: String, limit: Int) throws(TraceError) -> [UInt8]? {
        let lines = try LineFile(path)
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&chunk, 1, chunk.count, lines.file)
            if count == 0 { break }
            content.append(contentsOf: chunk[0..<count])
            if content.count > limit { return nil }
        }
        guard ferror(lines.file) == 0 else {
            throw lines.refusal("cannot read it: " + String(cString: strerror(errno)))
        }
        return content.starts(with: mark) ? Array(content.dropFirst(mark.count)) : content
    }

    func refusal(_ what: String) -> TraceError {
        .importRefused(path: path, line: number, what: what)
    }
}
