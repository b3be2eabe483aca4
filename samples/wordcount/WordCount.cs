// wordcount: counts the words of standard input, up to its end (Ctrl-D on the console).
//
//                         +-> counter 0 -+
//   reader --> splitter --+-> counter 1 -+--> merger
//              (by hash)  +-> counter 2 -+
//                         +-> counter 3 -+
//
// Every box is a goroutine, every arrow a channel. A word is a longest run of ASCII letters and apostrophes,
// in lower case; every other byte separates. With LC_ALL=C this is what a Unix host prints for
//
//   tr -cs "A-Za-z'" '\n' | tr A-Z a-z | grep . | sort | uniq -c | sort -k1,1nr -k2,2
//
// apart from the padding that uniq adds before the count.
//
// Memory is bounded by the number of distinct words: text travels in a fixed set of buffers that go round
// (each stage hands them back), and a string is made only the first time a word is seen. A run of letters
// longer than 64 KiB is cut into pieces of 64 KiB, each counted as a word; how many were cut is reported.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace Unikernel.Samples;

/// <summary>The <c>wordcount</c> sample.</summary>
internal static class WordCount
{
    private const int CounterCount = 4;
    private const int ChunkBytes = 16 * 1024;

    /// <summary>Counts standard input and prints <c>count word</c>, by count, then by word.</summary>
    /// <param name="args">None.</param>
    /// <returns>The exit code: 0, or 64 for wrong usage.</returns>
    public static int Run(string[] args)
    {
        if (args.Length != 0)
        {
            Console.WriteLine("usage: wordcount");
            Console.WriteLine("  counts the words of standard input up to its end (Ctrl-D)");
            return 64;
        }

        Stream input = Console.OpenStandardInput();
        using Stream output = Console.OpenStandardOutput();
        long cut = Count(input, output);
        if (cut != 0)
        {
            Console.Error.WriteLine($"wordcount: runs of letters longer than {WordSplitter.MaxWord} bytes, cut into pieces of that length: {cut}");
        }

        return 0;
    }

    /// <summary>Runs the pipeline from <paramref name="input"/> to <paramref name="output"/>.</summary>
    /// <returns>How many runs of letters were too long and were cut.</returns>
    public static long Count(Stream input, Stream output)
    {
        var chunks = new Chan<Chunk>(2);
        var freeChunks = new Chan<byte[]>(3);
        for (int i = 0; i < 3; i++)
        {
            freeChunks.Send(new byte[ChunkBytes]);
        }

        var batches = new Chan<Batch>[CounterCount];
        var freeBatches = new Chan<char[]>(3 * CounterCount);
        for (int i = 0; i < CounterCount; i++)
        {
            batches[i] = new Chan<Batch>(1);
            for (int k = 0; k < 3; k++)
            {
                freeBatches.Send(new char[WordSplitter.BatchChars]);
            }
        }

        var entries = new Chan<KeyValuePair<string, long>>(64);
        var cut = new Chan<long>(1);
        var merged = new Chan<List<KeyValuePair<string, long>>>();
        var counters = new WaitGroup();

        Go.Run(() => Read(input, chunks, freeChunks));
        Go.Run(() => cut.Send(Split(chunks, freeChunks, batches, freeBatches)));
        foreach (Chan<Batch> own in batches)
        {
            counters.Add(1);
            Go.Run(() =>
            {
                CountWords(own, freeBatches, entries);
                counters.Done();
            });
        }

        Go.Run(() =>
        {
            counters.Wait();
            entries.Close();
        });
        Go.Run(() => merged.Send(Merge(entries)));

        Print(merged.Receive(), output);
        return cut.Receive();
    }

    /// <summary>The reader: fills free buffers from the input and sends them on, until the input ends.</summary>
    private static void Read(Stream input, Chan<Chunk> chunks, Chan<byte[]> free)
    {
        byte[] buffer = free.Receive();
        int length;
        while ((length = input.Read(buffer, 0, buffer.Length)) > 0)
        {
            chunks.Send(new Chunk(buffer, length));
            buffer = free.Receive();
        }

        chunks.Close();
    }

    /// <summary>The splitter: cuts the text into words and deals them to the counters.</summary>
    private static long Split(Chan<Chunk> chunks, Chan<byte[]> freeChunks, Chan<Batch>[] batches, Chan<char[]> freeBatches)
    {
        var splitter = new WordSplitter(batches, freeBatches);
        foreach (Chunk chunk in chunks)
        {
            splitter.Add(chunk.Buffer.AsSpan(0, chunk.Length));
            freeChunks.Send(chunk.Buffer);
        }

        splitter.Finish();
        return splitter.CutWords;
    }

    /// <summary>A counter: counts its share of the words, then sends its table to the merger.</summary>
    private static void CountWords(Chan<Batch> batches, Chan<char[]> free, Chan<KeyValuePair<string, long>> entries)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        var bySpan = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (Batch batch in batches)
        {
            ReadOnlySpan<char> rest = batch.Buffer.AsSpan(0, batch.Length);
            while (!rest.IsEmpty)
            {
                int end = rest.IndexOf(WordSplitter.Separator);
                ReadOnlySpan<char> word = rest[..end];
                bySpan[word] = bySpan.TryGetValue(word, out long count) ? count + 1 : 1;
                rest = rest[(end + 1)..];
            }

            free.Send(batch.Buffer);
        }

        foreach (KeyValuePair<string, long> entry in counts)
        {
            entries.Send(entry);
        }
    }

    /// <summary>The merger: gathers every counter's words and sorts them.</summary>
    private static List<KeyValuePair<string, long>> Merge(Chan<KeyValuePair<string, long>> entries)
    {
        var all = new List<KeyValuePair<string, long>>();
        foreach (KeyValuePair<string, long> entry in entries)
        {
            all.Add(entry);
        }

        all.Sort(static (a, b) =>
        {
            int byCount = b.Value.CompareTo(a.Value);
            return byCount != 0 ? byCount : string.CompareOrdinal(a.Key, b.Key);
        });
        return all;
    }

    private static void Print(List<KeyValuePair<string, long>> entries, Stream output)
    {
        using var writer = new StreamWriter(output, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 4096, leaveOpen: true);
        writer.NewLine = "\n";
        foreach (KeyValuePair<string, long> entry in entries)
        {
            writer.Write(entry.Value);
            writer.Write(' ');
            writer.WriteLine(entry.Key);
        }
    }

    private readonly record struct Chunk(byte[] Buffer, int Length);
}
