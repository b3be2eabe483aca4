// wordcount's splitter: bytes in, batches of separated lower-case words out, dealt to the counters by hash.
using System;

namespace Unikernel.Samples;

/// <summary>Words on their way to a counter, each followed by <see cref="WordSplitter.Separator"/>.</summary>
internal readonly record struct Batch(char[] Buffer, int Length);

/// <summary>Cuts text into words; a word may span any number of <see cref="Add"/> calls.</summary>
internal sealed class WordSplitter
{
    /// <summary>The longest word; a longer run of letters is cut.</summary>
    public const int MaxWord = 64 * 1024;

    /// <summary>The size of a batch: room for the longest word and its separator.</summary>
    public const int BatchChars = MaxWord + 1;

    /// <summary>Ends each word in a batch.</summary>
    public const char Separator = '\n';

    // A batch travels when it holds this much, so that the counters have work while text still arrives.
    private const int SendAtChars = 4096;

    private const uint HashSeed = 2166136261;

    private readonly Chan<Batch>[] _counters;
    private readonly Chan<char[]> _free;
    private readonly char[]?[] _filling;
    private readonly int[] _filled;
    private readonly char[] _word = new char[MaxWord];
    private int _length;
    private uint _hash = HashSeed;
    private bool _isCut;

    public WordSplitter(Chan<Batch>[] counters, Chan<char[]> free)
    {
        _counters = counters;
        _free = free;
        _filling = new char[counters.Length][];
        _filled = new int[counters.Length];
    }

    /// <summary>How many runs of letters were longer than <see cref="MaxWord"/> so far.</summary>
    public long CutWords { get; private set; }

    /// <summary>Takes the next piece of the text.</summary>
    public void Add(ReadOnlySpan<byte> text)
    {
        foreach (byte b in text)
        {
            char c = (char)b;
            if (char.IsAsciiLetter(c) || c == '\'')
            {
                Append(c);
            }
            else
            {
                EndWord();
                _isCut = false;
            }
        }
    }

    /// <summary>Ends the last word, sends what is left and closes the counters' channels.</summary>
    public void Finish()
    {
        EndWord();
        for (int i = 0; i < _counters.Length; i++)
        {
            SendBatch(i);
            _counters[i].Close();
        }
    }

    private void Append(char c)
    {
        if (_length == MaxWord)
        {
            EndWord();
            if (!_isCut)
            {
                _isCut = true;
                CutWords++;
            }
        }

        c = c == '\'' ? c : (char)(c | 0x20);
        _word[_length++] = c;
        _hash = (_hash ^ c) * 16777619; // FNV-1a
    }

    private void EndWord()
    {
        if (_length == 0)
        {
            return;
        }

        int counter = (int)(_hash % (uint)_counters.Length);
        if (_filled[counter] + _length + 1 > BatchChars)
        {
            SendBatch(counter);
        }

        char[] batch = _filling[counter] ??= _free.Receive();
        _word.AsSpan(0, _length).CopyTo(batch.AsSpan(_filled[counter]));
        _filled[counter] += _length + 1;
        batch[_filled[counter] - 1] = Separator;
        _length = 0;
        _hash = HashSeed;
        if (_filled[counter] >= SendAtChars)
        {
            SendBatch(counter);
        }
    }

    private void SendBatch(int counter)
    {
        if (_filling[counter] is { } batch)
        {
            _counters[counter].Send(new Batch(batch, _filled[counter]));
            _filling[counter] = null;
            _filled[counter] = 0;
        }
    }
}
