internal import Synchronization

/// The folders below the one that the user named, opened as items ask for them.
///
/// *Any thread.* Keeps some of them open, however many there are.
final class FolderTree: Sendable {
    /// Folders that are kept open.
    private static let keptOpen = 64
    /// New folders that are remembered until they come as items, after all that is in them.
    ///
    /// A sender has as many under way as items, and those that lead to them.
    private static let mostNew = 4096

    private struct State {
        var open: [[UInt8]: Folder] = [:]
        /// Folders that got a new folder since `takeChanged`.
        var changed: [Folder] = []
        /// Folders that were made and have not come as items yet.
        var new: Set<[UInt8]> = []
    }

    let root: Folder
    private let state = Mutex(State())

    init(root: Folder) { self.root = root }

    /// The folder at some components below the root, made if it is not there.
    ///
    /// - Throws: `FileError` when a link or a file stands in its way, or it cannot be made.
    func folder(_ components: ArraySlice<[UInt8]>) throws(FileError) -> Folder {
        if components.isEmpty { return root }
        return try state.withLock { (state) throws(FileError) -> Folder in
            var folder = root
            var key: [UInt8] = []
            for component in components {
                FolderTree.extend(&key, by: component)
                if let known = state.open[key], !known.isRemoved {
                    folder = known
                    continue
                }
                let next: Folder
                if let child = try folder.child(component) {
                    next = child
                } else {
                    if try folder.makeChild(component) {
                        if state.new.count >= FolderTree.mostNew { state.new.removeAll() }
                        state.new.insert(key)
                    }
                    state.changed.append(folder)
                    guard let made = try folder.child(component) else {
                        throw FileError(.open, folder.shownPath(of: component), code: 2)
                    }
                    next = made
                }
                if state.open.count >= FolderTree.keptOpen { state.open.removeAll() }
                state.open[key] = next
                folder = next
            }
            return folder
        }
    }

    /// The folders in which new ones were made, which have to be on the disk before what is in
    /// those is said to be.
    func takeChanged() -> [Folder] {
        state.withLock { state in
            let changed = state.changed
            state.changed = []
            return changed
        }
    }

    /// Whether the folder at some components was made since this was last asked.
    func takeNew(_ components: ArraySlice<[UInt8]>) -> Bool {
        var key: [UInt8] = []
        for component in components { FolderTree.extend(&key, by: component) }
        return state.withLock { $0.new.remove(key) != nil }
    }

    private static func extend(_ key: inout [UInt8], by component: [UInt8]) {
        key += component
        key.append(UInt8(ascii: "/"))
    }

    /// Keeps a folder for the next `takeChanged`.
    func noteChanged(_ folder: Folder) { state.withLock { $0.changed.append(folder) } }
}
