internal import PathNetwork
package import PathTransport
internal import Pathwise

extension ConnectionConfiguration {
    /// Sets the limits of a session that carries forwards, on either side.
    ///
    /// A flow whose reader is stuck holds its stream's window, 256 kB unless it was fast before, of the
    /// 128 MB that all streams share: 256 of them stop, and the others go on. The windows of fast
    /// streams grow up to 16 MB, but those of all to half of what is shared.
    package mutating func prepareForForwards() {
        parameters.maximumStreams = max(parameters.maximumStreams, 8192)
        parameters.maximumStreamData = 256 << 10
        parameters.maximumData = 128 << 20
    }
}
