internal import Dispatch
internal import Glibc
internal import Synchronization

/// What happens to an item whose name exists.
public enum ConflictRule: Sendable {
    /// The item is not stored.
    case refuse
    /// The item gets the first free name of NAME.1, NAME.2, and so on.
    case rename
    /// The item replaces a file or link, never a folder.
    case replace
}

/// Synchronises complete items to the disk and renames them, many at a time.
///
/// Waiting for the disk costs about the same for one file as for many, so items that become
/// complete while the disk works are committed together: their bytes are synchronised, then they
/// are renamed, then their folders are synchronised. An item's `commit` returns after all three
/// steps.
final class Committer: Sendable {
    /// One complete item under its temporary name.
    struct Item: Sendable {
        /// Nil for links and folders, which have no bytes.
        var file: OpenFile?
        var folder: Folder
        /// Its name now and after the commit; nil if it is not renamed.
        var rename: (from: [UInt8], to: [UInt8])?
    }

    /// For this many files or more, the whole file system is synchronised.
    private static let manyFiles = 8
    /// Most numbers that are tried for a name that exists.
    private static let highestNumber = 100_000

    private typealias Reply = @Sendable (Result<[UInt8]?, FileError>) -> Void
    private struct State {
        var waiting: [(item: Item, reply: Reply)] = []
        var isRunning = false
    }

    private let rule: ConflictRule
    private let synchronizes: Bool
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "pathwise-commit")
    /// Returns the folders of all trees in which new folders were made.
    private let changed: @Sendable () -> [Folder]

    init(
        rule: ConflictRule, synchronizes: Bool, changed: @escaping @Sendable () -> [Folder]
    ) {
        self.rule = rule
        self.synchronizes = synchronizes
        self.changed = changed
    }

    /// Renames an item and synchronises it to the disk.
    ///
    /// - Returns: its final name.
    func commit(_ item: Item) async throws(FileError) -> [UInt8]? {
        guard synchronizes else { return try place(item) }
        let result: Result<[UInt8]?, FileError> = await withCheckedContinuation { continuation in
            let starts = state.withLock { state in
                state.waiting.append((item, { continuation.resume(returning: $0) }))
                defer { state.isRunning = true }
                return !state.isRunning
            }
            if starts { queue.async { self.run() } }
        }
        return try result.get()
    }

    private func run() {
        while true {
            let batch: [(item: Item, reply: Reply)] = state.withLock { state in
                let waiting = state.waiting
                state.waiting = []
                state.isRunning = !waiting.isEmpty
                return waiting
            }
            if batch.isEmpty { return }
            commit(batch)
        }
    }

    private func commit(_ batch: [(item: Item, reply: Reply)]) {
        let parents = changed()
        var failures = synchronizeFiles(batch.map(\.item))
        var names = [[UInt8]?](repeating: nil, count: batch.count)
        for (index, entry) in batch.enumerated() where failures[index] == nil {
            do throws(FileError) {
                names[index] = try place(entry.item)
            } catch {
                failures[index] = error
            }
        }
        let renamed = batch.indices.filter { failures[$0] == nil }
        if let error = synchronize(folders: renamed.map { batch[$0].item.folder } + parents) {
            for index in renamed { failures[index] = error }
        }
        for (index, entry) in batch.enumerated() {
            entry.reply(failures[index].map { .failure($0) } ?? .success(names[index]))
        }
    }

    /// The failure of each item, nil if its bytes are on the disk.
    private func synchronizeFiles(_ items: [Item]) -> [FileError?] {
        var failures = [FileError?](repeating: nil, count: items.count)
        if items.count(where: { $0.file != nil }) >= Committer.manyFiles {
            var devices: Set<UInt64> = []
            let isDone = items.allSatisfy { item in
                guard item.file != nil, devices.insert(item.folder.device).inserted else {
                    return true
                }
                return (try? item.folder.synchronizeFileSystem()) != nil
            }
            if isDone { return failures }
        }
        for (index, item) in items.enumerated() {
            do throws(FileError) {
                try item.file?.synchronize()
            } catch {
                failures[index] = error
            }
        }
        return failures
    }

    private func synchronize(folders: [Folder]) -> FileError? {
        var seen: Set<ObjectIdentifier> = []
        let distinct = folders.filter { seen.insert(ObjectIdentifier($0)).inserted }
        do throws(FileError) {
            if distinct.count >= Committer.manyFiles {
                var devices: Set<UInt64> = []
                for folder in distinct where devices.insert(folder.device).inserted {
                    try folder.synchronizeFileSystem()
                }
            } else {
                for folder in distinct { try folder.synchronize() }
            }
            return nil
        } catch {
            return error
        }
    }

    // MARK: names

    private func place(_ item: Item) throws(FileError) -> [UInt8]? {
        guard let (from, wanted) = item.rename else { return nil }
        let folder = item.folder
        if rule == .replace {
            try folder.renameReplacing(from, to: wanted)
            return wanted
        }
        if try folder.renameIfFree(from, to: wanted) { return wanted }
        guard rule == .rename else {
            throw FileError(.create, folder.shownPath(of: wanted), code: EEXIST)
        }
        for number in 1...Committer.highestNumber {
            let name = Committer.numbered(wanted, number)
            if try folder.renameIfFree(from, to: name) { return name }
        }
        throw FileError(.create, folder.shownPath(of: wanted), code: EEXIST)
    }

    /// Refuses the name of an existing folder: a file or link never replaces one.
    static func checkNoFolder(_ name: [UInt8], in folder: Folder) throws(FileError) {
        if let there = try folder.status(of: name), there.st_mode & S_IFMT == S_IFDIR {
            throw FileError(.rename, folder.shownPath(of: name), code: EISDIR)
        }
    }

    /// NAME.1 and so on; NAME is truncated to keep within 255 bytes.
    static func numbered(_ name: [UInt8], _ number: Int) -> [UInt8] {
        let suffix = Array(".\(number)".utf8)
        var stem = name.prefix(255 - suffix.count)
        // Do not split a UTF-8 character.
        if stem.count < name.count {
            while let next = name.dropFirst(stem.count).first, next & 0xc0 == 0x80,
                stem.count > 1
            {
                stem = stem.dropLast()
            }
        }
        return stem + suffix
    }
}
