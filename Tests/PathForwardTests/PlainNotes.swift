import Glibc
import Synchronization

/// What the threads of test servers found out.
final class PlainNotes: Sendable {
    static let shared = PlainNotes()
    private let notes = Mutex<Set<String>>([])

    func note(_ text: String) { notes.withLock { _ = $0.insert(text) } }
    var all: Set<String> { notes.withLock { $0 } }
    func has(_ text: String) -> Bool { notes.withLock { $0.contains(text) } }
}

/// Resident memory of this process.
enum ResidentMemory {
    static var bytes: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [UInt8](repeating: 0, count: 128)
        let count = fread(&line, 1, line.count, file)
        let words = String(decoding: line[..<count], as: UTF8.self).split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * 4096 : 0
    }
}
