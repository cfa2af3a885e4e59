internal import Glibc
internal import PathTelemetry

/// The bytes of one path by days, in a text file that several processes add to.
///
/// The row of a day has a fixed width and is overwritten in place by one write under a lock, so
/// that a killed process leaves a whole file and nothing is written twice. A file that a person has
/// edited may have other widths; it is replaced by one in the usual form.
struct UsageFile {
    /// Bytes of one day.
    struct Count: Hashable {
        var sent: UInt64 = 0
        var received: UInt64 = 0

        /// The sum, which stops at the largest number.
        var total: UInt64 { Count.sum(sent, received) }

        static func sum(_ one: UInt64, _ two: UInt64) -> UInt64 {
            let (sum, isTooLarge) = one.addingReportingOverflow(two)
            return isTooLarge ? .max : sum
        }
    }

    private static let header = "pathwise-usage 1\n"
    private static let rowWidth = 53
    /// More than a year, so that a clock that was wrong for some days displaces no others.
    private static let mostDays = 400
    private static let longest = 1 << 16

    let path: String

    // MARK: reading

    /// The days in the order of the file.
    static func parse(
        _ bytes: [UInt8], path: String
    ) throws(UsageError) -> [(day: LocalDay, count: Count)] {
        func refuse(_ line: Int, _ problem: String) -> UsageError {
            .malformed(path: path, line: line, problem: problem)
        }
        guard !bytes.isEmpty else { return [] }
        guard bytes.count <= longest else { throw refuse(1, "the file is longer than 64 kB") }
        let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
        guard lines[0].elementsEqual(header.utf8.dropLast()) else {
            throw refuse(1, "the first line has to be '\(header.dropLast())'")
        }
        guard lines.last?.isEmpty == true else {
            throw refuse(lines.count, "the line has no end")
        }
        var days: [(day: LocalDay, count: Count)] = []
        var known: Set<LocalDay> = []
        for (index, line) in lines.enumerated().dropFirst().dropLast() {
            let words = String(decoding: line, as: UTF8.self)
                .split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 3, let day = LocalDay(words[0]),
                let sent = number(words[1]), let received = number(words[2])
            else {
                throw refuse(
                    index + 1, "write DAY SENT RECEIVED, as '2026-11-29 1500000 20000'")
            }
            guard known.insert(day).inserted else {
                throw refuse(index + 1, "there is another line for \(day)")
            }
            days.append((day, Count(sent: sent, received: received)))
        }
        return days
    }

    private static func number(_ digits: Substring) -> UInt64? {
        guard (1...20).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (48...57).contains($0) })
        else { return nil }
        return UInt64(digits)
    }

    // MARK: adding

    /// Adds bytes to a day; returns all days.
    func add(_ more: Count, on day: LocalDay) throws(UsageError) -> [LocalDay: Count] {
        let file = try lock()
        defer { close(file) }
        var days = try UsageFile.parse(try content(of: file), path: path)
        var length: Int { UsageFile.header.utf8.count + days.count * UsageFile.rowWidth }
        var information = stat()
        fstat(file, &information)
        let isUsual = Int(information.st_size) == length
        let index = days.firstIndex { $0.day == day } ?? days.count
        var count = Count()
        if index < days.count { count = days[index].count } else { days.append((day, count)) }
        count = Count(
            sent: Count.sum(count.sent, more.sent),
            received: Count.sum(count.received, more.received))
        days[index].count = count
        if !isUsual || days.count > UsageFile.mostDays {
            while days.count > UsageFile.mostDays {
                // Days after today are of a wrong clock, or of one that is wrong now.
                let oldest = days.indices.filter { days[$0].day != day }.min {
                    days[$0].day < days[$1].day
                }
                days.remove(at: oldest ?? 0)
            }
            try replace(with: days, file)
        } else {
            let place = UsageFile.header.utf8.count + index * UsageFile.rowWidth
            try write(UsageFile.row(day, count), at: place, file, until: information.st_size)
        }
        return Dictionary(days.map { ($0.day, $0.count) }, uniquingKeysWith: { first, _ in first })
    }

    private static func row(_ day: LocalDay, _ count: Count) -> String {
        "\(day) \(NumberText.padded(count.sent, to: 20)) "
            + "\(NumberText.padded(count.received, to: 20))\n"
    }

    private func failure(_ operation: String) -> UsageError {
        .system(operation: operation, path: path, code: errno)
    }

    /// The file, locked and with its header; another process may have replaced it meanwhile.
    private func lock() throws(UsageError) -> Int32 {
        while true {
            let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard file >= 0 else { throw failure("open") }
            while flock(file, LOCK_EX) != 0 {
                guard errno == EINTR else {
                    defer { close(file) }
                    throw failure("lock")
                }
            }
            var here = stat()
            var there = stat()
            if fstat(file, &here) == 0, stat(path, &there) == 0, here.st_ino == there.st_ino,
                here.st_dev == there.st_dev
            {
                guard here.st_mode & S_IFMT == S_IFREG else {
                    close(file)
                    throw .malformed(path: path, line: 1, problem: "it is not a regular file")
                }
                if here.st_size == 0 {
                    do { try write(UsageFile.header, at: 0, file, until: 0) } catch {
                        close(file)
                        throw error
                    }
                }
                return file
            }
            close(file)
        }
    }

    private func content(of file: Int32) throws(UsageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: UsageFile.longest + 1)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                pread(file, $0.baseAddress.map { $0 + done }, $0.count - done, off_t(done))
            }
            if count == 0 { break }
            if count > 0 { done += count } else if errno != EINTR { throw failure("read") }
        }
        return Array(bytes[..<done])
    }

    /// Writes a text; a disk that is full leaves the file as it was, with the given length.
    private func write(
        _ text: String, at place: Int, _ file: Int32, until length: off_t
    ) throws(UsageError) {
        let bytes = Array(text.utf8)
        var count = -1
        repeat {
            count = pwrite(file, bytes, bytes.count, off_t(place))
        } while count < 0
            && errno == EINTR
        guard count == bytes.count else {
            if count >= 0 { errno = ENOSPC }
            let failure = failure("write")
            if off_t(place) >= length { ftruncate(file, length) }
            throw failure
        }
    }

    /// Puts a new file in the place of the locked one.
    private func replace(
        with days: [(day: LocalDay, count: Count)], _ locked: Int32
    ) throws(UsageError) {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let name = String(decoding: TemporaryName.unguessable(), as: UTF8.self)
        let temporary = folder.joined(separator: "/") + "/" + name
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("replace") }
        defer { close(file) }
        let text = days.reduce(UsageFile.header) { $0 + UsageFile.row($1.day, $1.count) }
        do {
            try write(text, at: 0, file, until: 0)
        } catch {
            unlink(temporary)
            throw error
        }
        guard fsync(file) == 0, rename(temporary, path) == 0 else {
            let failure = failure("replace")
            unlink(temporary)
            throw failure
        }
    }
}
