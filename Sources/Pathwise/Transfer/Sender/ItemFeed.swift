internal import Glibc
internal import Synchronization

/// Finds the items to send, one after the other, on demand.
///
/// A file is one item; a folder is all its contents, and then itself. Links in folders are items
/// and are not followed. Memory does not grow with the number of items. *Any thread.*
public final class ItemFeed: Sendable {
    /// The next thing found.
    enum Step {
        case item(OutgoingItem)
        /// Neither file, folder nor link: it is left out and reported.
        case skipped(ItemName, String)
        case failed(ItemName, FileError)
    }

    private struct Level {
        var folder: OutgoingFolder
        var path: [UInt8]
        var names: FolderListing
    }

    private struct State {
        var inputs: ArraySlice<[UInt8]>
        var levels: [Level] = []
        var returned: OutgoingItem?
    }

    private let isOneOfSeveral: Bool
    private let state: Mutex<State>

    /// - Parameter inputs: paths; `-` is standard input.
    public init(_ inputs: [[UInt8]]) {
        isOneOfSeveral = inputs.count > 1
        state = Mutex(State(inputs: inputs[...]))
    }

    /// Why a path cannot be sent; nil if it can be examined.
    public static func problem(with input: [UInt8]) -> FileError? {
        guard input != standardInput else { return nil }
        var information = stat()
        guard withPath(input, { stat($0, &information) }) == 0 else {
            return FileError(.open, shown(input))
        }
        let mode = information.st_mode & S_IFMT == S_IFDIR ? R_OK | X_OK : R_OK
        guard withPath(input, { access($0, mode) }) == 0 else {
            return FileError(.open, shown(input))
        }
        return nil
    }

    /// Total bytes to send; nil if this is not known in advance.
    public static func size(of inputs: [[UInt8]]) -> UInt64? {
        let feed = ItemFeed(inputs)
        var total: UInt64 = 0
        while !Task.isCancelled, let (step, _) = try? feed.next(opening: {}) {
            guard case .item(let item) = step else { continue }
            guard let size = item.size else { return nil }
            total &+= size
        }
        return total
    }

    private static let standardInput: [UInt8] = [UInt8(ascii: "-")]

    // MARK: items in order

    /// The next step, with the result of `open` for an item; nil after the last.
    ///
    /// Items are opened in order, for any number of tasks. If `open` throws, the next call returns
    /// the item again.
    func next<Opened: Sendable>(
        opening open: @Sendable () throws -> Opened
    ) throws -> (step: Step, opened: Opened?)? {
        try state.withLock { state in
            let step: Step?
            if let item = state.returned {
                step = .item(item)
                state.returned = nil
            } else {
                step = walk(&state)
            }
            guard let step else { return nil }
            guard case .item(let item) = step else { return (step, nil) }
            do {
                return (step, try open())
            } catch {
                state.returned = item
                throw error
            }
        }
    }

    /// Notes that an item has ended, with success or not.
    ///
    /// - Returns: its folder, if all items in that have ended and it is to be sent now.
    func finish(_ item: OutgoingItem) -> OutgoingItem? {
        guard let folder = item.parent else { return nil }
        return state.withLock { _ in
            folder.pending -= 1
            return folder.pending == 0 ? folder.item : nil
        }
    }

    /// Reports the items that were not begun, when nothing more can be sent.
    ///
    /// - Parameters:
    ///   - error: the reason.
    ///   - limit: most items that are reported; a folder may hold a million.
    ///   - report: called once for each of them.
    /// - Returns: false if there are more.
    public func giveUp(
        because error: any Error, limit: Int, report: (SentItem) -> Void
    ) -> Bool {
        for _ in 0..<limit {
            guard let (step, _) = try? next(opening: {}) else { return true }
            switch step {
            case .item(let item):
                report(SentItem(item, failed: error))
                abandon(item, error, report)
            case .skipped(let name, let what): report(SentItem(name, skipped: what))
            case .failed(let name, let error): report(SentItem(name, failed: error))
            }
        }
        return (try? next(opening: {})) == nil
    }

    /// Reports the folders that waited only for this item, which was not sent.
    func abandon(_ item: OutgoingItem, _ error: any Error, _ report: (SentItem) -> Void) {
        var ended = item
        while let folder = finish(ended) {
            report(SentItem(folder, failed: error))
            ended = folder
        }
    }

    // MARK: walking

    private func walk(_ state: inout State) -> Step? {
        while true {
            if let level = state.levels.last {
                guard let name = state.levels[state.levels.count - 1].names.popFirst() else {
                    state.levels.removeLast()
                    level.folder.pending -= 1
                    if level.folder.pending == 0 { return .item(level.folder.item) }
                    continue
                }
                let path = level.path + [UInt8(ascii: "/")] + name
                let step = look(
                    at: path, name: level.folder.item.name.appending(name),
                    parent: level.folder, &state)
                if let step { return step }
                continue
            }
            guard let input = state.inputs.popFirst() else { return nil }
            if input == ItemFeed.standardInput {
                return .item(
                    OutgoingItem(
                        kind: .pipe, name: ItemName(bytes: Array("stdin".utf8)), size: nil,
                        source: input, isArgument: true, isOneOfSeveral: isOneOfSeveral,
                        mode: 0o644, modified: FileTime(seconds: 0, nanoseconds: 0)))
            }
            let step = look(at: input, name: ItemFeed.name(of: input), parent: nil, &state)
            if let step { return step }
        }
    }

    /// The item at a path; nil for a folder, which is opened.
    private func look(
        at path: [UInt8], name: ItemName, parent: OutgoingFolder?, _ state: inout State
    ) -> Step? {
        var information = stat()
        let isArgument = parent == nil
        let result = withPath(path) {
            isArgument ? stat($0, &information) : lstat($0, &information)
        }
        let code = errno
        // A receiver's temporary file in this folder is soon complete or removed.
        if let parent,
            TemporaryName.isOne(Array(name.bytes[(parent.item.name.bytes.count + 1)...])),
            result != 0 || [S_IFREG, S_IFLNK].contains(information.st_mode & S_IFMT)
        {
            return .skipped(name, "an unfinished file of a receiver")
        }
        guard result == 0 else {
            return .failed(name, FileError(.open, shown(path), code: code))
        }
        guard name.bytes.count <= TransferHeader.nameLimit else {
            return .failed(name, FileError(.open, shown(path), code: ENAMETOOLONG))
        }
        var item = OutgoingItem(
            kind: .file, name: name, size: UInt64(max(0, information.st_size)), source: path,
            isArgument: isArgument, isOneOfSeveral: isOneOfSeveral || parent != nil,
            mode: UInt16(information.st_mode & 0o777), modified: FileTime(information.st_mtim),
            parent: parent)
        switch information.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR:
            item.kind = .directory
            item.size = 0
            item.isOneOfSeveral = true
            do throws(FileError) {
                let names = try FolderListing(path)
                state.levels.append(
                    Level(folder: OutgoingFolder(item), path: path, names: names))
            } catch {
                return .failed(name, error)
            }
            parent?.pending += 1
            return nil
        case S_IFLNK:
            item.kind = .link
            item.size = 0
            var room = [CChar](repeating: 0, count: TransferHeader.nameLimit + 1)
            let count = withPath(path) { readlink($0, &room, room.count) }
            guard count > 0, count <= TransferHeader.nameLimit else {
                return .failed(
                    name, FileError(.read, shown(path), code: count < 0 ? errno : ENAMETOOLONG))
            }
            item.target = room[..<count].map { UInt8(bitPattern: $0) }
        case S_IFIFO, S_IFCHR, S_IFBLK:
            guard isArgument else {
                let isPipe = information.st_mode & S_IFMT == S_IFIFO
                return .skipped(name, isPipe ? "a pipe" : "a device")
            }
            item.kind = .pipe
            item.size = nil
        case S_IFSOCK: return .skipped(name, "a socket")
        default: return .skipped(name, "a file of an unknown kind")
        }
        parent?.pending += 1
        return .item(item)
    }

    /// `.` and `..` are not names, so the absolute path gives one.
    private static func name(of path: [UInt8]) -> ItemName {
        let slash = UInt8(ascii: "/")
        if let last = path.split(separator: slash).last, last != [0x2e], last != [0x2e, 0x2e] {
            return ItemName(bytes: Array(last))
        }
        guard let absolute = withPath(path, { realpath($0, nil) }) else {
            return ItemName(bytes: path)
        }
        defer { free(absolute) }
        let bytes = UnsafeBufferPointer(start: absolute, count: strlen(absolute))
        let last = bytes.map { UInt8(bitPattern: $0) }.split(separator: slash).last
        return ItemName(bytes: last.map { Array($0) } ?? Array("root".utf8))
    }
}
