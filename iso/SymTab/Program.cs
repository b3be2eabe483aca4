// Unikernel.SymTab IN.elf OUT.blob [--map FILE]: exit code 0, or 1 with the reason on standard error.

using System.Globalization;
using System.Text;

namespace Unikernel.Iso.Symbols;

internal static class Program
{
    private static int Main(string[] args)
    {
        if (args.Length != 2 && !(args.Length == 4 && args[2] == "--map"))
        {
            Console.Error.WriteLine("usage: Unikernel.SymTab IN.elf OUT.blob [--map FILE]");
            return 1;
        }

        try
        {
            var model = SymbolModel.Read(File.ReadAllBytes(args[0]));
            File.WriteAllBytes(args[1], BlobWriter.Write(model));
            if (args.Length == 4)
            {
                File.WriteAllText(args[3], Map(model));
            }

            return 0;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"Unikernel.SymTab: {args[0]}: {e.Message}");
            return 1;
        }
    }

    /// <summary>One line per function: address size name file:line.</summary>
    internal static string Map(SymbolModel model)
    {
        var text = new StringBuilder();
        foreach (var function in model.Functions)
        {
            text.Append(CultureInfo.InvariantCulture, $"{function.Address:x16} {function.Size:x} {function.Name} ");
            text.Append(function.Rows.Count == 0 || function.Rows[0].Line == 0 ? "-" : $"{model.Files[function.Rows[0].File]}:{function.Rows[0].Line}").Append('\n');
        }

        return text.ToString();
    }
}
