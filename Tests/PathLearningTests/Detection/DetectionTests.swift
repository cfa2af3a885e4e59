import Glibc
import PathTelemetry
import Testing

@testable import PathLearning

@Suite struct DetectionTests {
    /// Losses that were simulated independently: share of the score lost, share of disagreements,
    /// and the median decisions until an alarm at 1e5.
    static let table: [(loss: Double, share: Double, watch: Watch, median: Double)] = [
        (0.05, 0.1, .exploration(0.1), 12_900), (0.05, 0.1, .exploration(0.5), 3700),
        (0.05, 0.1, .copies(0.2), 8700), (0.05, 0.1, .suspicion, 3900),
        (0.2, 1, .exploration(0.02), 11_200), (0.2, 1, .exploration(0.1), 3400),
        (0.2, 1, .exploration(0.5), 1120), (0.2, 1, .copies(0.2), 2500),
        (0.2, 1, .copies(0.5), 1090), (0.2, 1, .suspicion, 1180),
        (0.2, 0.3, .exploration(0.5), 910), (0.2, 0.3, .suspicion, 950),
        (1, 1, .exploration(0.1), 660), (1, 1, .exploration(0.5), 180),
        (1, 1, .copies(0.5), 200), (1, 1, .suspicion, 190),
    ]

    @Test(arguments: DetectionTests.table.indices)
    func alarmsComeAsSoonAsInIndependentSimulations(row: Int) {
        let (loss, share, watch, expected) = DetectionTests.table[row]
        let found = (0..<100).compactMap { run in
            watch.decisions(
                DisagreementWorld(loss: loss, share: share, seed: UInt64(run + 1)),
                within: 200_000)
        }.sorted()
        #expect(found.count == 100)
        let median = Double(found[49] + found[50]) / 2
        #expect(
            median > 0.75 * expected && median < 1.3 * expected,
            "\(watch), loss \(loss), share \(share): \(median) decisions, expected \(expected)")
    }

    @Test func grossLossesNeedNoExploration() {
        // Thirty percent late, with delays as before: the loss by lateness is 0.246 of 0.152.
        var late: [Int] = []
        for run in 0..<100 {
            var generator = SeededGenerator(seed: UInt64(run + 1))
            var detector = EDetector(.shiryaevRoberts)
            for decision in 1...2000 {
                let known = 0.28 * generator.normal()
                let expected = 0.012 + 0.988 * 40 / 300 * exp(known + 0.21 * 0.21 / 2)
                let time = 40.0 / 300 * exp(known + 0.21 * generator.normal())
                let score = generator.uniform() < 0.3 || time > 0.5 ? 1 : time
                if detector.add(.excess(score, over: 1.5, expected: expected)) >= 1e5 {
                    late.append(decision)
                    break
                }
            }
        }
        late.sort()
        #expect(late.count == 100)
        #expect(late[50] >= 50 && late[50] <= 75, "median \(late[50]), simulated: 63")
        #expect(late[90] <= 125, "\(late[90]), simulated: 101")
        var detector = EDetector(.shiryaevRoberts)
        var decisions = 0
        while detector.evidence < 1e5, decisions < 100 {
            detector.add(.excess(1, over: 1.5, expected: 0.152))
            decisions += 1
        }
        #expect(decisions <= 10, "all late")
    }

    /// A model that loses nothing raises alarms as rarely as promised: at most in half of the runs
    /// of 50,000 disagreements with a threshold of 1e5; simulated: 11 % with exploration of 2 %,
    /// 20 % with copies.
    @Test(arguments: [Watch.exploration(0.02), .copies(0.2), .gross])
    func falseAlarmsAreRare(watch: Watch) {
        let alarms = (0..<60).count { run in
            watch.decisions(
                DisagreementWorld(loss: 0, share: 1, seed: UInt64(1000 + run)), within: 50_000)
                != nil
        }
        #expect(alarms <= 24, "\(watch): \(alarms) of 60")
        if case .gross = watch { #expect(alarms == 0) }
    }

    @Test func evidenceIsTheMeanOfTheBets() {
        let sample = LossSample(loss: 1, bound: 2)
        let mean = (0.9 + 0.5 + 0.25 + 0.1 + 0.05 + 0.02 + 0.01 + 0.005) / 8
        for rule in [EDetector.Rule.shiryaevRoberts, .cumulativeSum, .process] {
            var detector = EDetector(rule)
            #expect((detector.add(sample) - (1 + mean / 2)).magnitude < 1e-14)
            // A loss of minus the bound leaves 1 - f of each bettor's wealth.
            detector.reset()
            #expect(
                (detector.add(LossSample(loss: -2, bound: 2)) - (1 - mean)).magnitude < 1e-14)
        }
        var process = EDetector(.process)
        var sum = EDetector(.cumulativeSum)
        for _ in 0..<50 {
            process.add(LossSample(loss: -1, bound: 2))
            sum.add(LossSample(loss: -1, bound: 2))
        }
        #expect(process.evidence < 0.4, "a process keeps what it lost")
        #expect(sum.evidence > 0.8, "a CUSUM falls back to one at each step")
    }

    @Test func samplesThatSayNothingChangeNothing() {
        var detector = EDetector(.shiryaevRoberts)
        detector.add(LossSample(loss: 0.1, bound: 1))
        let before = detector.evidence
        for (loss, bound) in [
            (0.0, 0.0), (.nan, 1), (1, .nan), (.infinity, 1), (1, .infinity), (1, -1),
        ] { detector.add(LossSample(loss: loss, bound: bound)) }
        #expect(detector.evidence == before)
        // Below the bound, and for ever above zero, evidence stays a number.
        detector.add(LossSample(loss: -5, bound: 1))
        #expect(detector.evidence >= 0 && detector.evidence < before + 1)
        for _ in 0..<3000 { detector.add(LossSample(loss: 1, bound: 1)) }
        #expect(detector.evidence > 1e190 && detector.evidence.isFinite)
    }

    /// Whatever the expectations, the mean of a disagreement's sample over the drawn action is the
    /// difference of the scores, and no sample is below its bound.
    @Test func disagreementsAreUnbiased() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<1000 {
            let scores = (model: generator.uniform(), rule: generator.uniform())
            let expected = (model: generator.uniform(), rule: generator.uniform())
            let probability = (
                model: 0.01 + 0.4 * generator.uniform(), rule: 0.01 + 0.4 * generator.uniform()
            )
            var mean = 0.0
            for (chosen, score, share) in [
                (LossSample.Chosen.model, scores.model, probability.model),
                (.rule, scores.rule, probability.rule),
                (.other, 0.5, 1 - probability.model - probability.rule),
            ] {
                let sample = LossSample.disagreement(
                    chosen, score: score, expected: expected, probability: probability)
                #expect(sample.loss >= -sample.bound - 1e-12)
                mean += share * sample.loss
            }
            #expect((mean - (scores.model - scores.rule)).magnitude < 1e-12)
        }
    }
}
