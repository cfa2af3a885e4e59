internal import Glibc

/// A file of a fixed size with the latest 24 hours of a few paths: a ring of slots of ten seconds.
///
/// Each slot names its time, so that what is older, damaged or of a wrong clock is left out when it is
/// read. One process at a time has the file. Format: docs/formats.md, "History".
struct HistoryFile: Sendable {
    /// Seconds of a slot.
    static let step = 10
    /// Slots: 24 hours.
    static let slots = 8640
    /// Paths.
    static let columns = 12
    static let nameSize = 48
    private static let mark = Array("PWHIST01".utf8)
    private static let headSize = 4096
    private static let namesAt = 64
    /// Time, and a value for each column; eight bytes keep the values aligned.
    private static let slotSize = 8 + columns * HistoryValue.size

    private let descriptor: Int32
    /// The path of each column; empty for one that is free.
    private(set) var names: [String]

    /// Opens the file, or starts a new one in its place if it does not have this format.
    ///
    /// - Throws: `WatchError` if it cannot be used, or another process has it.
    init(_ path: String) throws(WatchError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw .system(operation: "open", target: path, code: errno)
        }
        names = [String](repeating: "", count: HistoryFile.columns)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw code == EWOULDBLOCK
                ? .inUse(path) : .system(operation: "lock", target: path, code: code)
        }
        let head = HistoryFile.read(descriptor, at: 0, count: HistoryFile.headSize)
        if let found = HistoryFile.names(of: head) {
            names = found
        } else if ftruncate(descriptor, 0) != 0 || !writeHead() {
            let code = errno
            Glibc.close(descriptor)
            throw .system(operation: "write", target: path, code: code)
        }
    }

    func close() { Glibc.close(descriptor) }

    // MARK: head

    private static func names(of head: [UInt8]) -> [String]? {
        guard head.count == headSize, head.starts(with: mark),
            LittleEndian.get(head, at: 8) == UInt32(step),
            LittleEndian.get(head, at: 12) == UInt32(slots),
            LittleEndian.get(head, at: 16) == UInt32(columns)
        else { return nil }
        var names: [String] = []
        for column in 0..<columns {
            let place = namesAt + column * nameSize
            let length = Int(head[place])
            guard length < nameSize,
                let name = String(validating: head[place + 1..<place + 1 + length], as: UTF8.self)
            else { return nil }
            names.append(name)
        }
        return names
    }

    private func writeHead() -> Bool {
        var head = [UInt8](repeating: 0, count: HistoryFile.headSize)
        head.replaceSubrange(0..<8, with: HistoryFile.mark)
        LittleEndian.put(UInt32(HistoryFile.step), to: &head, at: 8)
        LittleEndian.put(UInt32(HistoryFile.slots), to: &head, at: 12)
        LittleEndian.put(UInt32(HistoryFile.columns), to: &head, at: 16)
        for (column, name) in names.enumerated() {
            let place = HistoryFile.namesAt + column * HistoryFile.nameSize
            let bytes = Array(name.utf8)
            head[place] = UInt8(truncatingIfNeeded: bytes.count)
            head.replaceSubrange(place + 1..<place + 1 + bytes.count, with: bytes)
        }
        return HistoryFile.write(head, descriptor, at: 0)
    }

    /// Gives a column to a path, and forgets what the former one did.
    ///
    /// - Parameter name: shorter than `nameSize`.
    /// - Returns: false if the file cannot be written.
    mutating func assign(_ name: String, to column: Int) -> Bool {
        if !names[column].isEmpty {
            for slot in 0..<HistoryFile.slots {
                let place = HistoryFile.place(slot)
                var bytes = HistoryFile.read(descriptor, at: place, count: HistoryFile.slotSize)
                guard bytes.count == HistoryFile.slotSize, LittleEndian.get(bytes, at: 0) != 0
                else { continue }
                HistoryValue().write(to: &bytes, at: 8 + column * HistoryValue.size)
                guard HistoryFile.write(bytes, descriptor, at: place) else { return false }
            }
        }
        names[column] = name
        return writeHead()
    }

    // MARK: slots

    private static func place(_ slot: Int) -> Int { headSize + slot * slotSize }

    /// Writes the values of one slot; false if that is not possible now.
    ///
    /// - Parameter index: of the slot in time: Unix seconds divided by `step`.
    func write(_ values: [HistoryValue], index: Int) -> Bool {
        guard let time = UInt32(exactly: index) else { return false }
        var bytes = [UInt8](repeating: 0, count: HistoryFile.slotSize)
        LittleEndian.put(time, to: &bytes, at: 0)
        for (column, value) in values.prefix(HistoryFile.columns).enumerated() {
            value.write(to: &bytes, at: 8 + column * HistoryValue.size)
        }
        return HistoryFile.write(
            bytes, descriptor, at: HistoryFile.place(index % HistoryFile.slots))
    }

    /// Calls a closure with each slot of a time that is there, in the order of time.
    ///
    /// - Parameters:
    ///   - indices: of the time, at most `slots`.
    ///   - body: gets the index and the values.
    func forEach(in indices: Range<Int>, _ body: (Int, [HistoryValue]) -> Void) {
        var index = max(1, indices.lowerBound)
        while index < indices.upperBound {
            let slot = index % HistoryFile.slots
            // Pieces of the file, so that a read needs little memory.
            let count = min(128, HistoryFile.slots - slot, indices.upperBound - index)
            let bytes = HistoryFile.read(
                descriptor, at: HistoryFile.place(slot), count: count * HistoryFile.slotSize)
            for offset in 0..<bytes.count / HistoryFile.slotSize {
                let place = offset * HistoryFile.slotSize
                guard Int(LittleEndian.get(bytes, at: place)) == index + offset else { continue }
                let values = (0..<HistoryFile.columns).map {
                    HistoryValue(bytes, at: place + 8 + $0 * HistoryValue.size)
                }
                body(index + offset, values)
            }
            index += count
        }
    }

    // MARK: system

    /// The bytes that are there; fewer at the end of the file.
    private static func read(_ descriptor: Int32, at place: Int, count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { room, used in
            used = 0
            while used < count {
                let more = pread(
                    descriptor, room.baseAddress.map { $0 + used }, count - used, place + used)
                if more < 0, errno == EINTR { continue }
                guard more > 0 else { break }
                used += more
            }
        }
    }

    private static func write(_ bytes: [UInt8], _ descriptor: Int32, at place: Int) -> Bool {
        var done = 0
        while done < bytes.count {
            let more = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done, place + done)
            }
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { return false }
            done += more
        }
        return true
    }
}
