# fish completion for @NAME@

function __@NAME@_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':dirs'
                __fish_complete_directories "$current"
            case ':*'
            case '*'
                echo $line
        end
    end
end

complete -c @NAME@ -f -a '(__@NAME@_complete)'
